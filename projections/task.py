"""Read model `tasks`: where each task stands and when it got there; one row per task."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from sqlalchemy import BigInteger, Table, Text

from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    TaskAdmitted,
    TaskEnded,
    TaskSubmitted,
)
from projections.column import TIME, earliest, highest, key, latest, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "tasks_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("tenant", Text, "whose task it is; another tenant's words about it make a row of their own"),
    once("scope", Text, "what one policy state covers: a family of tasks"),
    once("kind", Text, "what sort of task it is, as its producer said; null: matched by the agents' descriptions"),
    once("request_id", Text, "id of the request that submitted it"),
    once("requested_by", Text, "who asked, as the source of the request says"),
    once("text", Text, "what is asked; null: it lies in the blob store under its sha256"),
    once("text_sha256", Text, "sha256 of the text"),
    once("text_chars", BigInteger, "length of the text in characters"),
    once("language", Text, "language of the text"),
    once("priority", BigInteger, "0 (can wait) to 9 (first)"),
    once("deadline", TIME, "until when the answer is wanted"),
    once("max_attempts", BigInteger, "how many agents may try"),
    once("reply_to", Text, "topic that the answer is also sent to"),
    once("experiment", Text, "experiment that the task was put into"),
    once("variant", Text, "variant of the experiment"),
    once("submitted_at", TIME, "when the task was accepted"),
    once("admitted_at", TIME, "when its features and variant were fixed"),
    earliest("chosen_at", TIME, "when an agent was first chosen"),
    earliest("started_at", TIME, "when a worker first began"),
    once("cancel_requested_at", TIME, "when somebody asked to cancel it"),
    once("ended_at", TIME, "when it was over"),
    highest("chosen_attempt", BigInteger, "the last attempt that an agent was chosen for"),
    highest("started_attempt", BigInteger, "the last attempt that was begun"),
    highest("ended_attempt", BigInteger, "the last attempt that was ended"),
    latest("agent", Text, "the agent chosen last", by="chosen_attempt"),
    once("outcome", Text, "completed, failed, cancelled or expired; null: not over"),
    once("attempts", BigInteger, "how many attempts there were when it was over"),
    once("reason", Text, "code of the reason why it ended so"),
    once("detail", Text, "the reason as a sentence"),
    comment="Where each task stands and when it got there; one row per task.",
)
_STATE = """case
  when known.outcome is not null then known.outcome
  when known.ended_attempt >= greatest(known.chosen_attempt, known.started_attempt, 1) then 'waiting'
  when known.started_attempt >= coalesce(known.chosen_attempt, 1) then 'running'
  when known.chosen_attempt is not null then 'chosen'
  when known.admitted_at is not null then 'admitted'
  when known.submitted_at is not null then 'submitted'
  else 'unknown' end"""
_STATE_COMMENT = (
    "submitted, admitted, chosen, running, waiting (an attempt failed, another is to come), or how it ended: "
    "completed, failed, cancelled, expired; unknown: only a wish to cancel it was heard"
)


class TaskRow(Struct, frozen=True, kw_only=True):
    """One row of `tasks`, as lists show it."""

    task_id: str
    tenant: str
    scope: str | None
    kind: str | None
    request_id: str | None
    requested_by: str | None
    text: str | None
    language: str | None
    priority: int | None
    deadline: datetime | None
    experiment: str | None
    variant: str | None
    submitted_at: datetime | None
    admitted_at: datetime | None
    chosen_at: datetime | None
    started_at: datetime | None
    cancel_requested_at: datetime | None
    ended_at: datetime | None
    agent: str | None
    outcome: str | None
    attempts: int | None
    reason: str | None
    detail: str | None
    state: str


_COLUMNS = ", ".join(TaskRow.__struct_fields__)


async def task(connection: Connection, tenant: str, task_id: str) -> TaskRow | None:
    """Return one task of a tenant, or None if nothing is known of it."""
    query = f"select {_COLUMNS} from public.tasks where tenant = %s and task_id = %s"  # noqa: S608 columns are ours
    found = await fetch(connection, TaskRow, query, (tenant, task_id))
    return found[0] if found else None


async def tasks(connection: Connection, tenant: str, *, state: str | None = None, limit: int = 50) -> list[TaskRow]:
    """Return a tenant's tasks, newest first."""
    query = f"""select {_COLUMNS} from public.tasks
        where tenant = %s and (%s::text is null or state = %s)
        order by submitted_at desc nulls last, task_id limit %s"""  # noqa: S608 columns are ours
    return await fetch(connection, TaskRow, query, (tenant, state, state, limit))


async def states(connection: Connection, tenant: str) -> dict[str, int]:
    """Return how many tasks of a tenant are in each state."""
    query = "select state, count(*) from public.tasks where tenant = %s group by state order by state"
    cursor = await connection.execute(query, (tenant,))
    return dict(await cursor.fetchall())


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a task."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case TaskSubmitted():
            yield _submitted(fact, at)
        case TaskAdmitted():
            yield _admitted(fact, at)
        case AgentChosen():
            chosen = {"chosen_attempt": fact.attempt, "agent": fact.agent, "chosen_at": at}
            yield {**_task(fact), "scope": fact.context.scope, **chosen}
        case AttemptStarted():
            yield {**_task(fact), "started_attempt": fact.attempt, "started_at": at}
        case AttemptEnded():
            yield {**_task(fact), "scope": fact.scope, "ended_attempt": fact.attempt}
        case CancelRequested():
            yield {**_task(fact), "cancel_requested_at": at}
        case TaskEnded():
            yield _ended(fact, at)


_TaskFact = TaskSubmitted | TaskAdmitted | AgentChosen | AttemptStarted | AttemptEnded | CancelRequested | TaskEnded


def _task(fact: _TaskFact) -> Row:
    """Return what every fact of a task says."""
    return told(fact, "task_id", "tenant")


def _submitted(fact: TaskSubmitted, at: datetime) -> Row:
    """Return what is known from the submission."""
    asked = told(fact, "scope", "kind", "request_id", "requested_by", "text", "text_sha256", "text_chars")
    wanted = told(fact, "priority", "deadline", "max_attempts", "reply_to")
    return {**_task(fact), "submitted_at": at, **asked, **wanted}


def _admitted(fact: TaskAdmitted, at: datetime) -> Row:
    """Return what is known from the admission."""
    row = {**_task(fact), "scope": fact.context.scope, "language": fact.language, "admitted_at": at}
    if assignment := fact.context.assignment:
        row |= {"experiment": assignment.experiment, "variant": assignment.variant}
    return row


def _ended(fact: TaskEnded, at: datetime) -> Row:
    """Return how the task ended."""
    return {**_task(fact), "ended_at": at, **told(fact, "scope", "outcome", "attempts", "reason", "detail")}


_VIEW = view_of("tasks", _TABLE, {"state": (_STATE, _STATE_COMMENT)})
TASKS = Projection(
    name="tasks",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(TaskSubmitted, TaskAdmitted, AgentChosen, AttemptStarted, AttemptEnded, CancelRequested, TaskEnded),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
