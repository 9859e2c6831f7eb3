"""Read model `approvals`: what agents wanted to do, what a person said about it, and what counted."""

from collections.abc import Iterator

from sqlalchemy import Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from projections.column import TIME, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, merging
from projections.view import view_of

_APPROVALS = Table(
    "approvals_v1",
    metadata,
    key("approval_id", Text, "the question; it follows from task, attempt, tool and arguments"),
    once("tenant", Text, "whose task it is"),
    once("task_id", Text, "task that waited"),
    once("attempt", Integer, "attempt that asked"),
    once("agent", Text, "agent that wanted to call"),
    once("tool", Text, "what it wanted to call"),
    once("effect", Text, "what that may change: write or outside"),
    once("why", Text, "why a person was asked: grant, rule or tainted"),
    once("arguments", JSONB, "with which arguments"),
    once("arguments_sha256", Text, "digest of the arguments"),
    once("asked_at", TIME, "asked at"),
    once("expires_at", TIME, "denied from then on"),
    once("answered_at", TIME, "when somebody first answered; null: nobody did"),
    once("outcome", Text, "granted, denied or expired; null: open"),
    once("settled_by", Text, "whose answer counted; null: nobody's"),
    once("reason", Text, "why, in their words"),
    once("settled_at", TIME, "since when that counts"),
    comment="Calls of tools that a person was asked about, and what was said.",
)


def approval_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a question."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case ApprovalAsked():
            asked = told(fact, "approval_id", "tenant", "task_id", "attempt", "agent", "tool", "effect", "why", "arguments")
            yield {**asked, **told(fact, "arguments_sha256", "expires_at"), "asked_at": at}
        case ApprovalAnswered():
            yield {**told(fact, "approval_id", "tenant", "task_id"), "answered_at": at}
        case ApprovalSettled():
            settled = told(fact, "approval_id", "tenant", "task_id", "outcome", "reason")
            yield {**settled, "settled_by": fact.by, "settled_at": at}


_VIEW = view_of("approvals", _APPROVALS)
APPROVALS = Projection(
    name="approvals",
    version=1,
    tables=(_APPROVALS,),
    views=(_VIEW,),
    reads=(ApprovalAsked, ApprovalAnswered, ApprovalSettled),
    compared=(compared(_VIEW, _APPROVALS),),
    write=merging(_APPROVALS, approval_rows),
)
