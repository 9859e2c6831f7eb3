"""How an attempt and its task end, as facts: pure decisions, made inside the transaction that writes them."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from events.answer import AnswerGiven
from events.event import Envelope, Event, Fact
from events.stamp import caused
from events.task import AttemptEnded, ChoiceContext, Step, TaskEnded, TaskOutcome, TaskSubmitted
from events.topics import ANSWERS, TASKS, Names
from events.wire import Outgoing, encode
from store.claim import Claimed
from store.closing import Abandoned, Closed

# Who writes ends in the transaction that closes the row: dispatch need not read these back.
HANDS = frozenset({"smolit/worker", "smolit/dispatch", "smolit/watchdog", "smolit/bridge"})


class Finish(Struct, frozen=True):
    """How a worker's attempt went; a long output lies in the blob store under its sha256."""

    claimed: Claimed
    outcome: Literal["completed", "failed", "timed_out"]
    duration_us: int
    steps: tuple[Step, ...] = ()
    output: Any = None
    output_sha256: str | None = None
    reason: str | None = None
    detail: str | None = None
    cost_microusd: int | None = None


class Verdict(Struct, frozen=True):
    """How a task ends: `reason` is a code, `detail` a sentence for people."""

    outcome: TaskOutcome
    reason: str | None = None
    detail: str | None = None


class Roads(Struct, frozen=True):
    """Where facts go: topic names, the answer topics that producers may name, and who writes."""

    names: Names
    reply_topics: frozenset[str]
    source: str


def judge(finish: Finish, barred: bool, now: datetime) -> Verdict | None:
    """Return how the attempt ends its task, or None where another agent may be chosen.

    `barred`: a side effect is in doubt, so nothing may be tried again.
    """
    claimed = finish.claimed
    if finish.outcome == "completed":
        return Verdict("completed")
    if barred or finish.reason == "effect_unknown":
        return Verdict("failed", "effect_unknown", "a side effect may have happened; a person must decide")
    if finish.reason in ("not_approved", "approval_expired"):  # whoever would try next would ask again
        return Verdict("failed", finish.reason, finish.detail)
    if finish.reason == "plan_failed":  # its parts were tried again by others already
        return Verdict("failed", "plan_failed", finish.detail)
    if now >= claimed.task.deadline:
        return Verdict("expired", "deadline", finish.detail)
    if claimed.hold.attempt >= claimed.context.max_attempts:
        return Verdict("failed", "attempts_exhausted", f"{finish.reason}: {finish.detail}")
    return None


def finish_facts(finish: Finish, verdict: Verdict | None, roads: Roads, now: datetime) -> list[Outgoing]:
    """Return the records of an attempt's end and, where it ends the task, of that and of the answer."""
    claimed = finish.claimed
    ended = caused(_attempt_ended(finish, verdict), claimed.cause, source=roads.source, now=now)
    records = [_record(ended, roads)]
    if verdict is None:
        return records
    task = TaskEnded(
        tenant=claimed.task.tenant,
        task_id=claimed.task.task_id,
        scope=claimed.task.scope,
        outcome=verdict.outcome,
        attempts=claimed.hold.attempt,
        agent=claimed.spec.id if verdict.outcome == "completed" else None,
        reason=verdict.reason,
        detail=verdict.detail,
    )
    return records + _end(claimed.task, task, ended.envelope, finish, roads, now)


def early_facts(closed: Closed, verdict: Verdict, by: Envelope | None, roads: Roads, now: datetime) -> list[Outgoing]:
    """Return the records of a task that ends without its agent: unfinished attempts, the end, the answer.

    `by` is the event that ended it; None: nothing but the time, so its latest choice or submission is the cause.
    """
    task = TaskEnded(
        tenant=closed.task.tenant,
        task_id=closed.task.task_id,
        scope=closed.task.scope,
        outcome=verdict.outcome,
        attempts=closed.attempts,
        reason=verdict.reason,
        detail=verdict.detail,
    )
    cause = by or (closed.abandoned[-1].cause if closed.abandoned else closed.cause)
    return _unfinished(closed, verdict.reason, roads, now) + _end(closed.task, task, cause, None, roads, now)


def closed_facts(closed: Closed, ended: Event[TaskEnded], roads: Roads, now: datetime) -> list[Outgoing]:
    """Return the records of a task that selection ended: unfinished attempts, and the answer."""
    answer = caused(_answer(closed.task, ended.fact, None), ended.envelope, source=roads.source, now=now)
    return [
        *_unfinished(closed, ended.fact.reason, roads, now),
        *(encode(topic, answer) for topic in answer_topics(closed.task, roads)),
    ]


def handed_back_facts(closed: Closed, reason: str, roads: Roads, now: datetime) -> list[Outgoing]:
    """Return the records of attempts that are handed back, so that another agent is chosen; the task stays open."""
    return [
        _record(
            caused(
                _abandoned(one, closed.task, reason, _tried(one.context, one.agent)),
                one.cause,
                source=roads.source,
                now=now,
            ),
            roads,
        )
        for one in closed.abandoned
    ]


def answer_topics(task: TaskSubmitted, roads: Roads) -> list[str]:
    """Return where a task's answer goes: the answers topic, and the producer's own if it is on the list."""
    own = roads.names.of(ANSWERS)
    asked = task.reply_to
    return [own, asked] if asked and asked != own and asked in roads.reply_topics else [own]


def _unfinished(closed: Closed, reason: str | None, roads: Roads, now: datetime) -> list[Outgoing]:
    """Return the ends of attempts that were started and never finished: every start has one end."""
    return [
        _record(caused(_abandoned(one, closed.task, reason, None), one.cause, source=roads.source, now=now), roads)
        for one in closed.abandoned
        if one.epoch
    ]


def _end(
    task: TaskSubmitted, fact: TaskEnded, by: Envelope, finish: Finish | None, roads: Roads, now: datetime
) -> list[Outgoing]:
    """Return the records of a task's end and of its answer."""
    ended = caused(fact, by, source=roads.source, now=now)
    answer = caused(_answer(task, fact, finish), ended.envelope, source=roads.source, now=now)
    return [_record(ended, roads), *(encode(topic, answer) for topic in answer_topics(task, roads))]


def _answer(task: TaskSubmitted, ended: TaskEnded, finish: Finish | None) -> AnswerGiven:
    """Return the answer to whoever asked; only a completed task has an output."""
    done = finish if ended.outcome == "completed" else None
    return AnswerGiven(
        tenant=task.tenant,
        task_id=task.task_id,
        request_id=task.request_id,
        requested_by=task.requested_by,
        outcome=ended.outcome,
        attempt=done.claimed.hold.attempt if done else None,
        agent=ended.agent,
        output=done.output if done else None,
        output_sha256=done.output_sha256 if done else None,
        reason=ended.reason,
        detail=ended.detail,
        left_out=ended.left_out,
    )


def _attempt_ended(finish: Finish, verdict: Verdict | None) -> AttemptEnded:
    """Return the end of a worker's attempt; it carries the context on when another agent may be chosen."""
    claimed = finish.claimed
    return AttemptEnded(
        tenant=claimed.task.tenant,
        task_id=claimed.task.task_id,
        attempt=claimed.hold.attempt,
        agent=claimed.spec.id,
        scope=claimed.task.scope,
        outcome=finish.outcome,
        worker=claimed.worker,
        epoch=claimed.hold.epoch,
        duration_us=finish.duration_us,
        steps=finish.steps,
        output=finish.output,
        output_sha256=finish.output_sha256,
        error=None if finish.outcome == "completed" else f"{finish.reason}: {finish.detail}",
        cost_microusd=finish.cost_microusd,
        context=None if verdict else _tried(claimed.context, claimed.spec.id),
    )


def _abandoned(one: Abandoned, task: TaskSubmitted, reason: str | None, context: ChoiceContext | None) -> AttemptEnded:
    """Return the end of an attempt that nobody finished; it says nothing about its agent."""
    return AttemptEnded(
        tenant=task.tenant,
        task_id=one.task_id,
        attempt=one.attempt,
        agent=one.agent,
        scope=task.scope,
        outcome="abandoned",
        worker=one.worker,
        epoch=one.epoch,
        duration_us=one.duration_us,
        steps=(),
        error=reason,
        context=context,
    )


def _tried(context: ChoiceContext, agent: str) -> ChoiceContext:
    """Return the context for the next choice, with this agent among the tried."""
    return replace(context, tried=(*context.tried, agent))


def _record(event: Event[Fact], roads: Roads) -> Outgoing:
    """Return the record of a fact about a task."""
    return encode(roads.names.of(TASKS), event)
