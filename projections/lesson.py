"""Lessons, read from feedback and vectors: corrections of past tasks that are like a new one."""

from msgspec import Struct

from projections.projection import fetch
from projections.similar import Vector
from store.postgres import Connection

_NEAR = """
select said.task_id, said.rater, said.revision::int as revision, said.agent, said.correction,
  1 - (known.embedding <=> %(vector)s::halfvec(384)) as cosine
from public.feedback_effective as said
join public.task_vectors as known on known.task_id = said.task_id and known.tenant = said.tenant
where said.tenant = %(tenant)s and said.correction is not null and known.features_version = %(version)s
  and known.kind is not distinct from %(kind)s::text and (%(agent)s::text is null or said.agent = %(agent)s)
order by known.embedding <=> %(vector)s::halfvec(384), said.task_id, said.rater limit %(most)s"""


class LessonRow(Struct, frozen=True, kw_only=True):
    """One correction that counts: no later revision took it back, and its task was not forgotten."""

    task_id: str
    rater: str
    revision: int
    agent: str | None
    correction: str
    cosine: float


async def lessons_near(
    connection: Connection, vector: Vector, tenant: str, kind: str | None, agent: str | None, most: int
) -> list[LessonRow]:
    """Return the corrections of the likest tasks of a kind, likest first; `agent` None: whoever was corrected."""
    told = {
        "vector": vector.text,
        "version": vector.features_version,
        "tenant": tenant,
        "kind": kind,
        "agent": agent,
        "most": most,
    }
    return await fetch(connection, LessonRow, _NEAR, told)
