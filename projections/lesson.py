"""Lessons, read from feedback and vectors: corrections of past tasks that are like a new one, put together by what they say."""

from typing import Any

from msgspec import Struct

from projections.projection import fetch
from projections.similar import Vector
from store.postgres import Connection

# The length of a middle needs every lesson of the kind: no index answers that.
_NEAR = """
with said as (
  select said.task_id, said.rater, said.revision::int as revision, said.agent, said.correction,
    1 - (known.embedding <=> %(vector)s::halfvec(384)) as cosine, l2_normalize(known.embedding)::vector(384) as embedding
  from public.feedback_effective as said
  join public.task_vectors as known on known.task_id = said.task_id and known.tenant = said.tenant
  where said.tenant = %(tenant)s and said.correction is not null and known.features_version = %(version)s
    and known.kind is not distinct from %(kind)s::text and (%(agent)s::text is null or said.agent = %(agent)s)
), placed as (
  select *, row_number() over (partition by correction order by cosine desc, task_id, rater) as place from said
)
select correction as answer, count(*)::int as count, avg(cosine)::float8 as cosine,
  (vector_norm(avg(embedding)) ^ 2)::float8 as middle,
  jsonb_agg(jsonb_build_object('task_id', task_id, 'rater', rater, 'revision', revision, 'agent', agent,
    'correction', correction, 'cosine', cosine) order by place) filter (where place <= %(cited)s) as likest
from placed group by correction order by max(placed.cosine) desc, correction limit %(most)s"""


class TallyRow(Struct, frozen=True, kw_only=True):
    """All that say one thing: how many, how like on average, the squared length of their mean vector, and the likest lessons.

    Those count that no later revision took back, and whose task was not forgotten.
    """

    answer: str
    count: int
    cosine: float
    middle: float
    likest: list[dict[str, Any]]


async def lessons_near(
    connection: Connection, vector: Vector, tenant: str, kind: str | None, agent: str | None, most: int, cited: int
) -> list[TallyRow]:
    """Return what was said of tasks of a kind, for the `most` answers with the likest lesson; `agent` None: to whomever."""
    told = {
        "vector": vector.text,
        "version": vector.features_version,
        "tenant": tenant,
        "kind": kind,
        "agent": agent,
        "most": most,
        "cited": cited,
    }
    return await fetch(connection, TallyRow, _NEAR, told)
