"""Asking at the desk: a question and the rest of its attempt come in one transaction; so does an answer and what it wakes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from agents.consent import Question
from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from events.event import Envelope, Event
from events.stamp import caused
from events.topics import TASKS, Names
from events.wire import Outgoing, encode
from handlers.attempt import Tried
from handlers.ending import Roads
from store import approval, team
from store.approval import Expired
from store.claim import Claimed
from store.postgres import Connection


async def wait(connection: Connection, worker: str, tried: Sequence[Tried], roads: Roads, now: datetime) -> list[Outgoing]:
    """Lay attempts aside that wait for a person; return the records. What is no longer this worker's is passed over.

    Their tasks are locked before.
    """
    held = await team.mine(connection, worker, [one.finish.claimed.hold for one in tried])
    put: list[Outgoing] = []
    for one in sorted(tried, key=lambda one: one.finish.claimed.hold.task_id):
        if one.finish.claimed.hold in held and one.waits is not None:
            put += await _wait(connection, worker, one.finish.claimed, one.waits, roads, now)
    return put


async def _wait(
    connection: Connection, worker: str, claimed: Claimed, question: Question, roads: Roads, now: datetime
) -> list[Outgoing]:
    """Lay one attempt aside, with its question; one that was answered meanwhile goes on at once."""
    until = min(now + timedelta(seconds=question.patience_s), claimed.task.deadline)
    asked = caused(_asked(claimed, question, until), claimed.cause, source=roads.source, now=now)
    new = approval.New(
        approval_id=question.approval_id,
        tenant=claimed.task.tenant,
        task_id=claimed.hold.task_id,
        attempt=claimed.hold.attempt,
        agent=claimed.spec.id,
        tool=question.tool,
        effect=question.reach,
        why=question.why,
        arguments=msgspec.json.encode(question.arguments),
        arguments_sha256=question.arguments_sha256,
        expires_at=until,
        cause=msgspec.json.encode(asked.envelope),
    )
    state = await approval.ask(connection, new)
    await approval.rest(connection, worker, claimed.hold, until, state != "open")
    return [encode(roads.names.of(TASKS), asked)]  # asked again after a crash it has the same id


def _asked(claimed: Claimed, question: Question, until: datetime) -> ApprovalAsked:
    return ApprovalAsked(
        tenant=claimed.task.tenant,
        approval_id=question.approval_id,
        task_id=claimed.hold.task_id,
        attempt=claimed.hold.attempt,
        agent=claimed.spec.id,
        tool=question.tool,
        effect=question.reach,
        why=question.why,
        arguments=question.arguments,
        arguments_sha256=question.arguments_sha256,
        expires_at=until,
    )


async def answered(
    connection: Connection, event: Event[ApprovalAnswered], names: Names, source: str, now: datetime
) -> tuple[list[Outgoing], list[tuple[str, str]]]:
    """Let an answer count that is in time; return the records, and whom to ring for. Its task is locked before."""
    fact = event.fact
    cause = await approval.settle(
        connection, fact.approval_id, fact.tenant, fact.task_id, fact.arguments_sha256, fact.decision, fact.by, fact.reason
    )
    if cause is None:
        return [], []
    settled = ApprovalSettled(
        tenant=fact.tenant,
        approval_id=fact.approval_id,
        task_id=fact.task_id,
        outcome=fact.decision,
        by=fact.by,
        reason=fact.reason,
    )
    return [_record(settled, event.envelope, names, source, now)], await approval.wake(connection, [fact.task_id])


def lapsed(one: Expired, names: Names, source: str, now: datetime) -> Outgoing:
    """Return the record that nobody answered in time."""
    fact = ApprovalSettled(tenant=one.tenant, approval_id=one.approval_id, task_id=one.task_id, outcome="expired")
    return _record(fact, one.cause, names, source, now)


def _record(fact: ApprovalSettled, by: Envelope, names: Names, source: str, now: datetime) -> Outgoing:
    return encode(names.of(TASKS), caused(fact, by, source=source, now=now))
