"""Read model `feedback`: every judgement ever given, and which of them counts."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from sqlalchemy import BigInteger, Double, Table, Text

from events.task import FeedbackGiven, FeedbackRevised
from projections.column import TIME, key, metadata, once
from projections.merge import Row, micro, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import View, view_of
from store.postgres import Connection

_TABLE = Table(
    "feedback_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("judged_attempt", BigInteger, "attempt that was judged; 0: the one that completed the task"),
    key("rater", Text, "who judged"),
    key("revision", BigInteger, "0: as first given; the highest revision of a rater counts"),
    key("tenant", Text, "who was asked: another tenant's words about a task are kept apart"),
    once("kind", Text, "boolean, score, comment or correction"),
    once("value", Double, "0 (worst) to 1 (best); null: words only"),
    once("value_micro", BigInteger, "the value in millionths"),
    once("comment", Text, "what the rater said"),
    once("correction", Text, "what the answer should have been"),
    once("given_at", TIME, "when it was given"),
    comment="Every judgement ever given, revised ones too; `effective` marks the one of each rater that counts.",
)
_EFFECTIVE_SQL = """not exists (select from feedback_v1 as later
  where later.task_id = known.task_id and later.tenant = known.tenant and later.rater = known.rater
    and later.judged_attempt = known.judged_attempt and later.revision > known.revision)"""
_EFFECTIVE = (_EFFECTIVE_SQL, "whether no later revision replaced it")
_JUDGED_SQL = """
select f.tenant, f.task_id, coalesce(nullif(f.judged_attempt, 0), done.attempt), f.rater, f.revision, f.kind, f.value,
  f.value_micro, f.comment, f.correction, f.given_at, tried.scope, tried.agent
from (select distinct on (tenant, task_id, judged_attempt, rater) * from feedback_v1
      order by tenant, task_id, judged_attempt, rater, revision desc) as f
left join lateral (select attempt from attempts_v1 where task_id = f.task_id and tenant = f.tenant and outcome = 'completed'
                   order by attempt desc limit 1) as done on true
left join attempts_v1 as tried
  on tried.task_id = f.task_id and tried.tenant = f.tenant
  and tried.attempt = coalesce(nullif(f.judged_attempt, 0), done.attempt)"""
_JUDGED = View(
    "feedback_effective",
    _JUDGED_SQL,
    "The judgements that count: the highest revision of each rater, with the attempt and the agent that it is about.",
    {
        "tenant": "who was asked",
        "task_id": "id of the task",
        "attempt": "attempt that was judged; null: no attempt completed the task",
        "rater": "who judged",
        "revision": "how often the rater changed it",
        "kind": "boolean, score, comment or correction",
        "value": "0 (worst) to 1 (best); null: words only",
        "value_micro": "the value in millionths",
        "comment": "what the rater said",
        "correction": "what the answer should have been",
        "given_at": "when it was given",
        "scope": "what one policy state covers",
        "agent": "the agent that was judged",
    },
)


class FeedbackRow(Struct, frozen=True, kw_only=True):
    """One row of `feedback`."""

    task_id: str
    judged_attempt: int
    rater: str
    revision: int
    tenant: str
    kind: str
    value: float | None
    comment: str | None
    correction: str | None
    given_at: datetime
    effective: bool


_COLUMNS = ", ".join(FeedbackRow.__struct_fields__)


async def feedback_on(connection: Connection, tenant: str, task_id: str) -> list[FeedbackRow]:
    """Return all that was said of a task's results, revised judgements too."""
    query = f"""select {_COLUMNS} from public.feedback where tenant = %s and task_id = %s
        order by judged_attempt, rater, revision"""  # noqa: S608 columns are ours
    return await fetch(connection, FeedbackRow, query, (tenant, task_id))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of a judgement."""
    fact = logged.event.fact
    if isinstance(fact, FeedbackGiven | FeedbackRevised):
        yield {
            **told(fact, "task_id", "rater", "tenant", "kind", "value", "comment", "correction"),
            "judged_attempt": fact.attempt or 0,
            "revision": fact.revision if isinstance(fact, FeedbackRevised) else 0,
            "value_micro": None if fact.value is None else micro(fact.value),
            "given_at": logged.event.envelope.time,
        }


_VIEW = view_of("feedback", _TABLE, {"effective": _EFFECTIVE})
FEEDBACK = Projection(
    name="feedback",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW, _JUDGED),
    reads=(FeedbackGiven, FeedbackRevised),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
