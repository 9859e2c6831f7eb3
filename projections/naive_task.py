"""The naive fold of what happens to tasks; see `projections/naive.py`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from events.event import Fact
from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    FeedbackGiven,
    FeedbackRevised,
    TaskAdmitted,
    TaskEnded,
    TaskSubmitted,
)
from projections.naive import Key, Seen, Table

F = TypeVar("F", bound=Fact)
_OF_A_TASK = (TaskSubmitted, TaskAdmitted, AgentChosen, AttemptStarted, AttemptEnded, CancelRequested, TaskEnded)


def tasks(seen: Sequence[Seen]) -> Table:
    """Return where each task stands."""
    stories: dict[Key, list[Seen]] = defaultdict(list)
    for item in seen:
        if isinstance(item.fact, _OF_A_TASK):
            stories[item.fact.task_id, item.fact.tenant].append(item)
    return {key: {"task_id": key[0], "tenant": key[1], **_task(story)} for key, story in stories.items()}


def _task(story: list[Seen]) -> dict[str, Any]:
    """Return one task's row from all its facts."""
    submitted, admitted, over = _only(story, TaskSubmitted), _only(story, TaskAdmitted), _only(story, TaskEnded)
    chosen = [(item.fact.attempt, item.fact.agent) for item in story if isinstance(item.fact, AgentChosen)]
    begun = [item.fact.attempt for item in story if isinstance(item.fact, AttemptStarted)]
    finished = [item.fact.attempt for item in story if isinstance(item.fact, AttemptEnded)]
    put_in = admitted.context.assignment if admitted else None
    row = {
        "scope": next((scope for scope in map(_scope, story) if scope), None),
        **{name: getattr(submitted, name, None) for name in _ASKED},
        "language": admitted.language if admitted else None,
        "experiment": put_in.experiment if put_in else None,
        "variant": put_in.variant if put_in else None,
        "submitted_at": _when(story, TaskSubmitted),
        "admitted_at": _when(story, TaskAdmitted),
        "chosen_at": _when(story, AgentChosen),
        "started_at": _when(story, AttemptStarted),
        "cancel_requested_at": _when(story, CancelRequested),
        "ended_at": _when(story, TaskEnded),
        "chosen_attempt": max((attempt for attempt, _ in chosen), default=None),
        "started_attempt": max(begun, default=None),
        "ended_attempt": max(finished, default=None),
        "agent": max(chosen)[1] if chosen else None,
        **{name: getattr(over, name, None) for name in ("outcome", "attempts", "reason", "detail")},
    }
    return {**row, "state": _state(row)}


_ASKED = (
    "kind",
    "request_id",
    "requested_by",
    "text",
    "text_sha256",
    "text_chars",
    "priority",
    "deadline",
    "max_attempts",
    "reply_to",
)


def _scope(item: Seen) -> str | None:
    """Return the scope that a fact names."""
    context = getattr(item.fact, "context", None)
    own = getattr(item.fact, "scope", None)
    return own if own is not None or context is None else context.scope


def _state(row: dict[str, Any]) -> str:
    """Return where a task stands."""
    if row["outcome"] is not None:
        return str(row["outcome"])
    chosen, begun, finished = (row[name] or 0 for name in ("chosen_attempt", "started_attempt", "ended_attempt"))
    if finished and finished >= max(chosen, begun):
        return "waiting"
    if begun and begun >= chosen:
        return "running"
    if chosen:
        return "chosen"
    if row["admitted_at"] is not None:
        return "admitted"
    return "submitted" if row["submitted_at"] is not None else "unknown"


def _only(story: Iterable[Seen], kind: type[F]) -> F | None:
    """Return a task's only fact of a kind."""
    return next((item.fact for item in story if isinstance(item.fact, kind)), None)


def _when(story: Iterable[Seen], kind: type[Fact]) -> Any:
    """Return when a kind of fact happened first."""
    return min((item.at for item in story if isinstance(item.fact, kind)), default=None)


def task_features(seen: Sequence[Seen]) -> Table:
    """Return what a policy may see of each task."""
    return {
        (item.fact.task_id,): {
            "task_id": item.fact.task_id,
            "tenant": item.fact.tenant,
            "features_version": item.fact.context.features.version,
            "embedding": item.fact.context.features.embedding,
            "surface": item.fact.context.features.surface,
        }
        for item in seen
        if isinstance(item.fact, TaskAdmitted)
    }


def decisions(seen: Sequence[Seen]) -> Table:
    """Return each choice of an agent."""
    return {
        (item.fact.task_id, item.fact.attempt): _decision(item, item.fact) for item in seen if isinstance(item.fact, AgentChosen)
    }


def _decision(item: Seen, fact: AgentChosen) -> dict[str, Any]:
    """Return one choice's row."""
    put_in = fact.context.assignment
    return {
        "task_id": fact.task_id,
        "attempt": fact.attempt,
        "tenant": fact.tenant,
        "scope": fact.context.scope,
        "kind": fact.context.kind,
        "chosen_at": item.at,
        "agent": fact.agent,
        "propensity": fact.propensity,
        "explored": fact.explored,
        "draw": fact.draw,
        "decided_by": fact.decided_by,
        "policy": fact.policy.name,
        "policy_version": fact.policy.version,
        "policy_parameters": fact.policy.parameters,
        "policy_digest": fact.policy.digest,
        "policy_upto": fact.policy.upto,
        "policy_model": fact.policy.model,
        "context_map": fact.context_map,
        "features_version": fact.context.features.version,
        "experiment": put_in.experiment if put_in else None,
        "variant": put_in.variant if put_in else None,
        "unit": put_in.unit if put_in else None,
        "candidates": fact.candidates,
        "left_out": fact.left_out,
        "log_partition": item.record.partition,
        "log_offset": item.record.offset,
    }


def attempts(seen: Sequence[Seen]) -> Table:
    """Return how each attempt went."""
    starts = {_attempt(item.fact): item for item in reversed(seen) if isinstance(item.fact, AttemptStarted)}
    ends = {_attempt(item.fact): item for item in reversed(seen) if isinstance(item.fact, AttemptEnded)}
    return {key: {"task_id": key[0], "attempt": key[1], **_went(starts.get(key), ends.get(key))} for key in starts | ends}


def _attempt(fact: Any) -> Key:
    """Return the key of an attempt."""
    return (fact.task_id, fact.attempt)


def _went(start: Seen | None, end: Seen | None) -> dict[str, Any]:
    """Return one attempt's row from its two facts."""
    told = ("scope", "worker", "epoch", "outcome", "duration_us", "cost_microusd", "error", "steps", "output")
    facts = [item.fact for item in (start, end) if item]
    return {
        "tenant": facts[0].tenant,
        "agent": getattr(facts[0], "agent", None),
        "started_by": getattr(start.fact, "worker", None) if start else None,
        "started_at": start.at if start else None,
        "ended_at": end.at if end else None,
        **{name: getattr(end.fact, name) if end else None for name in (*told, "output_sha256")},
    }


def feedback(seen: Sequence[Seen]) -> Table:
    """Return every judgement, and whether it counts."""
    table: Table = {}
    highest: dict[Key, int] = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, FeedbackGiven | FeedbackRevised):
            revision = getattr(fact, "revision", 0)
            judge = (fact.task_id, fact.attempt or 0, fact.rater, fact.tenant)
            highest[judge] = max(revision, highest.get(judge, 0))
            table[(*judge[:3], revision, fact.tenant)] = _judgement(fact, item, revision)
    for row in table.values():
        judge = (row["task_id"], row["judged_attempt"], row["rater"], row["tenant"])
        row["effective"] = row["revision"] == highest[judge]
    return table


def _judgement(fact: FeedbackGiven | FeedbackRevised, item: Seen, revision: int) -> dict[str, Any]:
    """Return one judgement's row."""
    return {
        "task_id": fact.task_id,
        "judged_attempt": fact.attempt or 0,
        "rater": fact.rater,
        "revision": revision,
        "tenant": fact.tenant,
        "kind": fact.kind,
        "value": fact.value,
        "value_micro": None if fact.value is None else round(fact.value * 10**6),
        "comment": fact.comment,
        "correction": fact.correction,
        "given_at": item.at,
    }
