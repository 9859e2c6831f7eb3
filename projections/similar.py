"""Read model `similar_tasks`: the vector of each admitted task, to find past tasks that are like another one, and how they went.

A vector that cannot be compared (of another width, not finite, of length zero) is refused at the door and counted. The
HNSW index is built aside (`projections/similar_index.py`); every question falls back on the exact scan, so what is found
depends on the index for its speed alone, and for at most a few per cent of its neighbours.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Index, Table, Text

from events.task import TaskAdmitted, TaskForgotten
from projections.column import TIME, earliest, key, metadata, once, summed
from projections.errors import VectorUnfit
from projections.merge import Merge, Row, told
from projections.projection import Compared, Logged, Projection, compared, fetch
from projections.statement import Statement
from projections.view import View, view_of
from store.postgres import Connection

WIDTH = 384
_BYTES = 2 * WIDTH  # of a vector: float16

SIMILAR_TABLE = Table(
    "similar_tasks_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("tenant", Text, "whose task it is"),
    once("scope", Text, "what one policy state covers: a family of tasks"),
    once("kind", Text, "what sort of task it is, as its producer said"),
    once("features_version", Text, "version of the features: vectors of different ones cannot be compared"),
    once("admitted_at", TIME, "when its features were fixed"),
    once("embedding", HALFVEC(WIDTH), "embedding of the text; null: forgotten"),
    earliest("forgotten_at", TIME, "since when it must not be found any more; null: it may"),
    Index("similar_tasks_v1_family", "tenant", "scope", "kind"),
    comment="The vector of each admitted task, and of those that were forgotten that they were.",
)
_REFUSED = Table(
    "similar_refused_v1",
    metadata,
    key("tenant", Text, "whose tasks"),
    key("reason", Text, "wrong_width, not_finite or zero_length"),
    summed("refused", BigInteger, "admitted tasks whose vector was refused"),
    comment="How many vectors cannot be compared and were therefore refused, by reason.",
)
_FAMILY = {
    "tenant": "whose task it is",
    "task_id": "id of the task",
    "scope": "what one policy state covers: a family of tasks",
    "kind": "what sort of task it is, as its producer said",
    "features_version": "version of the features: vectors of different ones cannot be compared",
    "admitted_at": "when its features were fixed",
    "embedding": "embedding of the text: 384 numbers",
}
# So plain that a search by distance goes through it to the index; it says of which generation the vectors are.
_VECTORS = View(
    "task_vectors",
    """
select known.tenant, known.task_id, known.scope, known.kind, known.features_version, known.admitted_at, known.embedding
from similar_tasks_v1 as known
where known.embedding is not null and known.forgotten_at is null""",
    "The vectors of tasks that may be found, alone: `order by embedding <=> other limit 10` uses the index once it is built.",
    _FAMILY,
)
_VIEW = View(
    "similar_tasks",
    """
select known.tenant, known.task_id, known.scope, known.kind, known.features_version, known.admitted_at, known.embedding,
  last.attempt, last.agent, done.outcome, (learned.reward_micro / 1e6)::float8
from similar_tasks_v1 as known
left join lateral (select attempt, agent from decisions_v1
                   where task_id = known.task_id and tenant = known.tenant order by attempt desc limit 1) as last on true
left join tasks_v1 as done on done.task_id = known.task_id and done.tenant = known.tenant
left join examples_v1 as learned
  on learned.task_id = known.task_id and learned.attempt = last.attempt and learned.scope = known.scope
where known.embedding is not null and known.forgotten_at is null""",
    "The vector of each admitted task with who did it last and how it went; `embedding <=> other` is the cosine distance.",
    {
        **_FAMILY,
        "attempt": "number of the last attempt that an agent was chosen for",
        "agent": "the agent that was chosen for it",
        "outcome": "completed, failed, cancelled or expired; null: not over",
        "reward": "the reward of that attempt, 0 to 1; null: nobody said",
    },
)
_REFUSED_VIEW = view_of("similar_tasks_refused", _REFUSED)
# Byte for byte, by what Postgres itself knows: a generation's search path does not find functions of the extension.
_SENT = f"""(select tenant, task_id, scope, kind, features_version, admitted_at, forgotten_at,
  array_send(embedding::real[]) as embedding from {SIMILAR_TABLE.name}) as sent"""  # noqa: S608 the name is ours
# Of what is forgotten nothing is left to be found, whatever came first.
_MERGE = Merge(SIMILAR_TABLE, blanked={"embedding": "forgotten_at"})
_MERGE_REFUSED = Merge(_REFUSED)


class Vector(Struct, frozen=True):
    """A vector that can be compared, as Postgres reads it, and the version of the features that it is from."""

    text: str
    features_version: str


class Like(Struct, frozen=True, kw_only=True):
    """A past task that is like another one: the cosine of the two, and how it went; `reward` is null if nobody said."""

    task_id: str
    cosine: float
    scope: str | None
    kind: str | None
    admitted_at: datetime
    agent: str | None
    outcome: str | None
    reward: float | None
    text: str | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Whose tasks may be found, of which family and kind (None: any), how many, and which one is not meant."""

    tenant: str
    k: int = 10
    scope: str | None = None
    kind: str | None = None
    but: str = ""


_NEAR = """
with near as materialized (
  select task_id, embedding <=> %(vector)s::halfvec(384) as distance
  from public.task_vectors
  where tenant = %(tenant)s and features_version = %(version)s and task_id <> %(but)s{more}
  order by embedding <=> %(vector)s::halfvec(384) limit %(k)s
)
select near.task_id, 1 - distance as cosine, found.scope, found.kind, found.admitted_at, found.agent, found.outcome,
  found.reward, asked.text
from near
join public.similar_tasks as found on found.task_id = near.task_id and found.tenant = %(tenant)s
left join public.tasks as asked on asked.task_id = near.task_id and asked.tenant = %(tenant)s
order by distance, near.task_id"""
# An index gives its neighbours first and filters them afterwards; it is to go on until enough of them pass, within bounds.
_BY_INDEX = (
    "set local enable_indexscan = on",  # within a transaction of the caller's, an exact scan before may have left it off
    "set local hnsw.ef_search = 100",
    "set local hnsw.iterative_scan = relaxed_order",
    "set local hnsw.max_scan_tuples = 20000",
)
_EXACTLY = ("set local enable_indexscan = off", "set local enable_seqscan = on", "set local enable_sort = on")


def vector_of(embedding: bytes, features_version: str) -> Vector:
    """Return the vector of recorded features.

    Raises:
        VectorUnfit: it cannot be compared; `reason` says why.
    """
    numbers = _numbers(embedding)
    written = map(_written().__getitem__, numbers.view("<u2").tolist())
    return Vector(f"[{','.join(written)}]", features_version)


def _numbers(embedding: bytes) -> NDArray[np.float16]:
    """Return the numbers of a vector that can be compared; raises VectorUnfit."""
    if len(embedding) != _BYTES:
        raise VectorUnfit("wrong_width", f"{len(embedding)} bytes where {WIDTH} float16 numbers were expected")
    numbers: NDArray[np.float16] = np.frombuffer(embedding, "<f2")
    if not np.isfinite(numbers).all():
        raise VectorUnfit("not_finite", "a number in it is none, or infinite")
    if not numbers.any():
        raise VectorUnfit("zero_length", "it has no direction")
    return numbers


@cache
def _written() -> list[str]:
    """Return every float16 by its bits as Postgres reads it: to look 384 numbers up is five times as fast as to write them."""
    return [f"{number:.5g}" for number in np.arange(2**16, dtype="<u2").view("<f2").tolist()]  # five digits name a float16


async def like(connection: Connection, vector: Vector, wanted: Wanted) -> list[Like]:
    """Return the k nearest past tasks, nearest first; fewer only if there are no more."""
    more = max(4 * wanted.k, 100)  # behind a filter an index gives its neighbours in no exact order: the query sorts them
    found = await _nearest(connection, vector, replace(wanted, k=more), _BY_INDEX)
    # An index that ran dry, or was stopped, may not have reached the nearest ones.
    return found[: wanted.k] if len(found) == more else await exactly(connection, vector, wanted)


async def exactly(connection: Connection, vector: Vector, wanted: Wanted) -> list[Like]:
    """Return the k nearest past tasks by looking at every one."""
    return await _nearest(connection, vector, wanted, _EXACTLY)


async def vector_of_task(connection: Connection, tenant: str, task_id: str) -> Vector | None:
    """Return a task's vector; None if it was refused or forgotten, or is not known."""
    query = "select embedding::text as text, features_version from public.similar_tasks where tenant = %s and task_id = %s"
    found = await fetch(connection, Vector, query, (tenant, task_id))
    return found[0] if found else None


async def _nearest(connection: Connection, vector: Vector, wanted: Wanted, how: Sequence[str]) -> list[Like]:
    """Return what a scan finds under some settings, which last as long as the transaction."""
    filters = {name: getattr(wanted, name) for name in ("scope", "kind") if getattr(wanted, name) is not None}
    more = "".join(f" and {name} = %({name})s" for name in filters)
    arguments = {"vector": vector.text, "version": vector.features_version, "tenant": wanted.tenant, "but": wanted.but}
    async with connection.transaction():
        for setting in how:
            await connection.execute(setting.encode())
        query = _NEAR.format(more=more)
        return await fetch(connection, Like, query, {**arguments, **filters, "k": wanted.k})


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a task's vector; one that cannot be compared leaves no row."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case TaskAdmitted(context=context):
            if _flaw(context.features.embedding) is None:
                family = {"scope": context.scope, "kind": context.kind, "admitted_at": at}
                vector = {"embedding": context.features.embedding, "features_version": context.features.version}
                yield {**told(fact, "task_id", "tenant"), **family, **vector}
        case TaskForgotten():
            yield {**told(fact, "task_id", "tenant"), "forgotten_at": at}


def refused_rows(logged: Logged) -> Iterator[Row]:
    """Yield that a vector was refused."""
    fact = logged.event.fact
    if isinstance(fact, TaskAdmitted) and (flaw := _flaw(fact.context.features.embedding)) is not None:
        yield {"tenant": fact.tenant, "reason": flaw, "refused": 1}


def _flaw(embedding: bytes) -> str | None:
    """Return why a vector cannot be compared; None: it can."""
    try:
        _numbers(embedding)
    except VectorUnfit as unfit:
        return unfit.reason
    return None


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what writes vectors and refusals."""
    refused = _MERGE_REFUSED.plan(row for logged in facts for row in refused_rows(logged))
    return refused + _MERGE.plan(row for logged in facts for row in rows(logged))


SIMILAR_TASKS = Projection(
    name="similar_tasks",
    version=1,
    tables=(SIMILAR_TABLE, _REFUSED),
    views=(_VECTORS, _VIEW, _REFUSED_VIEW),
    reads=(TaskAdmitted, TaskForgotten),
    compared=(
        Compared("similar_tasks", _SENT, ("task_id", "tenant")),
        compared(_REFUSED_VIEW, _REFUSED),
    ),
    write=write,
)
