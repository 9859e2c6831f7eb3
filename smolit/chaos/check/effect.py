"""C5: no side effect happened twice, counted by business operation at the providers, who are outside everything that dies."""

from collections import Counter
from collections.abc import Iterable, Sequence

from events.task import TaskEnded, TaskSubmitted
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.provider import Line
from smolit.chaos.script import CHARGE, MAIL


def repeated(evidence: Evidence) -> list[Finding]:
    """C5: return every effect that happened twice, or not at all though its task was completed."""
    return [
        *found("C5", "the provider that takes keys did one operation twice", _more_than_once(evidence.once, "applied")),
        *found("C5", "one operation was asked for under two keys", _keys(evidence.once)),
        *found("C5", "the provider that takes no keys did one operation twice", _more_than_once(evidence.plain, "applied")),
        *found("C5", "the provider that takes no keys was called twice", _more_than_once(evidence.plain, "called")),
        *found("C5", "a task was completed and its effect never happened", _missing(evidence)),
        *found("C5", "something was done that nobody asked for", _unasked(evidence) if evidence.settled else ()),
    ]


def _more_than_once(lines: Iterable[Line], what: str) -> list[str]:
    times = Counter(line.operation for line in lines if line.what == what)
    return [f"{operation} ({count} times)" for operation, count in times.items() if count > 1]


def _keys(lines: Iterable[Line]) -> list[str]:
    keys: dict[str, set[str]] = {}
    for line in lines:
        keys.setdefault(line.operation, set()).add(line.key)
    return [operation for operation, seen in keys.items() if len(seen) > 1]


def _missing(evidence: Evidence) -> set[str]:
    """Return completed tasks with an effect that no provider knows."""
    done = _applied(evidence.once) | _applied(evidence.plain)
    completed = {event.fact.task_id for _, event in evidence.log.facts(TaskEnded) if event.fact.outcome == "completed"}
    return (completed & _with_effect(evidence)) - done


def _unasked(evidence: Evidence) -> set[str]:
    return (_applied(evidence.once) | _applied(evidence.plain)) - _with_effect(evidence)


def _with_effect(evidence: Evidence) -> set[str]:
    submitted = evidence.log.facts(TaskSubmitted)
    return {event.fact.task_id for _, event in submitted if event.fact.kind in (CHARGE, MAIL)}


def _applied(lines: Sequence[Line]) -> set[str]:
    return {line.operation for line in lines if line.what == "applied"}
