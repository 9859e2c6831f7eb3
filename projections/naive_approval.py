"""The naive fold of questions to people; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from projections.naive import Seen, Table

_ASKED = ("attempt", "agent", "tool", "effect", "why", "arguments", "arguments_sha256", "expires_at")
_LATER = ("asked_at", "answered_at", "outcome", "settled_by", "reason", "settled_at")


def approvals(seen: Sequence[Seen]) -> Table:
    """Return each question with what was said of it: the first fact of a kind counts."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, ApprovalAsked | ApprovalAnswered | ApprovalSettled):
            known = {"approval_id": fact.approval_id, "tenant": fact.tenant, "task_id": fact.task_id}
            row = table.setdefault((fact.approval_id,), known | dict.fromkeys((*_ASKED, *_LATER)))
            row.update({name: value for name, value in _said(item).items() if row[name] is None})
    return table


def _said(item: Seen) -> dict[str, Any]:
    match item.fact:
        case ApprovalAsked() as fact:
            return {**{name: getattr(fact, name) for name in _ASKED}, "asked_at": item.at}
        case ApprovalSettled() as fact:
            return {"outcome": fact.outcome, "settled_by": fact.by, "reason": fact.reason, "settled_at": item.at}
        case _:
            return {"answered_at": item.at}
