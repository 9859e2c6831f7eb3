"""Read model `attempts`: how each attempt went; one row per task and attempt."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.task import AttemptEnded, AttemptStarted
from projections.column import TIME, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "attempts_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("attempt", BigInteger, "number of the attempt, from 1"),
    once("tenant", Text, "whose task it is"),
    once("scope", Text, "what one policy state covers; null: not over"),
    once("agent", Text, "the agent that tried"),
    once("started_by", Text, "the worker that began"),
    once("started_at", TIME, "when a worker first began"),
    once("worker", Text, "the worker that ended it: another one, if the first died"),
    once("epoch", BigInteger, "how often the attempt was handed to a worker"),
    once("ended_at", TIME, "when it was over"),
    once("outcome", Text, "completed, failed, timed_out or abandoned; null: not over"),
    once("duration_us", BigInteger, "how long the agent worked, in microseconds"),
    once("cost_microusd", BigInteger, "what it cost in millionths of a dollar; null: not known"),
    once("error", Text, "what went wrong, as a sentence"),
    once("steps", JSONB, "steps of the pipeline: name, duration, model, tokens, cost"),
    once("output", JSONB, "the answer; null: none, or in the blob store under its sha256"),
    once("output_sha256", Text, "sha256 of an answer in the blob store"),
    Index("attempts_v1_agent", "tenant", "agent"),
    comment="How each attempt of an agent at a task went; one row per task and attempt.",
)


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One row of `attempts`; times in microseconds, cost in millionths of a dollar."""

    task_id: str
    attempt: int
    tenant: str
    scope: str | None
    agent: str
    started_by: str | None
    started_at: datetime | None
    worker: str | None
    epoch: int | None
    ended_at: datetime | None
    outcome: str | None
    duration_us: int | None
    cost_microusd: int | None
    error: str | None
    steps: list[dict[str, Any]] | None
    output: Any
    output_sha256: str | None


_COLUMNS = ", ".join(AttemptRow.__struct_fields__)


async def attempts_of(connection: Connection, task_id: str) -> list[AttemptRow]:
    """Return the attempts of a task, first one first."""
    query = f"select {_COLUMNS} from public.attempts where task_id = %s order by attempt"  # noqa: S608 columns are ours
    return await fetch(connection, AttemptRow, query, (task_id,))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of an attempt."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case AttemptStarted():
            yield {**told(fact, "task_id", "attempt", "tenant", "agent"), "started_by": fact.worker, "started_at": at}
        case AttemptEnded():
            where = told(fact, "task_id", "attempt", "tenant", "agent", "scope", "worker", "epoch")
            what = told(fact, "outcome", "output", "output_sha256", "error", "steps", "duration_us", "cost_microusd")
            yield {**where, **what, "ended_at": at}


_VIEW = view_of("attempts", _TABLE)
ATTEMPTS = Projection(
    name="attempts",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(AttemptStarted, AttemptEnded),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
