"""C4: order never inverts: per partition as it was applied, per key as the client sent it, and causes before effects."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from events.event import Event
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, AttemptStarted, TaskAdmitted, TaskEnded, TaskSubmitted
from events.wire import Incoming
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found

Place = tuple[str, int, int]


def inverted(evidence: Evidence) -> list[Finding]:
    """C4: return every inversion."""
    return [
        *found("C4", "a partition was applied out of order", _applied(evidence.tables["applied"])),
        *found("C4", "an effect stands before its cause", _causes(evidence)),
        *found("C4", "a task's story is out of order", _stories(evidence)),
        *found("C4", "what a client sent one after the other is the other way round", _keys(evidence)),
        *found("C4", "the examples of a scope are not in the order of their numbers", _examples(evidence)),
    ]


def _applied(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield records applied in an earlier transaction than one before them; the fold is alone, so its xids only grow."""
    latest: dict[tuple[str, int], tuple[int, int]] = {}
    for _, topic, partition, offset, _, transaction in sorted(rows, key=lambda row: (row[1], row[2], row[3])):
        before = latest.get((topic, partition))
        if before and transaction < before[1]:
            yield f"{topic}/{partition}/{offset} before {before[0]}"
        latest[topic, partition] = (offset, max(transaction, before[1] if before else 0))


def _causes(evidence: Evidence) -> Iterator[str]:
    """Yield facts that stand before the event that caused them, in one partition."""
    for event_id, (record, event) in evidence.log.first.items():
        cause = evidence.log.first.get(event.envelope.causation_id)
        if cause and _partition(cause[0]) == _partition(record) and cause[0].offset >= record.offset:
            yield f"{event_id} at {record.origin}"


def _stories(evidence: Evidence) -> Iterator[str]:
    """Yield steps of a task that come before what must go before them."""
    for task, places in _steps(evidence).items():
        for step, offset in places.items():
            for earlier in _needs(step):
                if earlier not in places or places[earlier] >= offset:
                    yield f"{task}: {step} without or before {earlier}"


def _steps(evidence: Evidence) -> Mapping[str, dict[tuple[str, int], int]]:
    """Return where each step of each task stands."""
    found_steps: dict[str, dict[tuple[str, int], int]] = {}
    classes = (TaskSubmitted, TaskAdmitted, AgentChosen, AttemptStarted, AttemptEnded, TaskEnded)
    for record, event in evidence.log.facts(*classes):
        found_steps.setdefault(event.fact.task_id, {})[_step(event)] = record.offset
    return found_steps


def _step(event: Event[Any]) -> tuple[str, int]:
    """Return what a fact is in its task's story; the end names the attempt that completed it, or none."""
    fact = event.fact
    if isinstance(fact, TaskEnded):
        return ("completed", fact.attempts) if fact.outcome == "completed" else ("ended", 0)
    return fact.event_type.name, getattr(fact, "attempt", 0)


def _needs(step: tuple[str, int]) -> list[tuple[str, int]]:
    """Return what must stand before a step."""
    name, attempt = step
    match name:
        case "task.admitted":
            return [("task.submitted", 0)]
        case "agent.chosen":
            return [("task.admitted", 0)] if attempt == 1 else [("attempt.ended", attempt - 1)]
        case "attempt.started":
            return [("agent.chosen", attempt)]
        case "attempt.ended" | "completed":
            return [("attempt.started", attempt)] + ([("attempt.ended", attempt)] if name == "completed" else [])
        case "ended":
            return [("task.submitted", 0)]
        case _:
            return []


def _keys(evidence: Evidence) -> Iterator[str]:
    """Yield requests of one key whose facts are not in the order they were sent in."""
    latest: dict[str, tuple[int, int]] = {}
    told = [entry for entry in evidence.acknowledged if entry.task_id is None and entry.facts]
    for entry in sorted(told, key=lambda entry: (entry.key, entry.key_seq)):
        places = [evidence.log.first[fact][0] for fact in entry.facts if fact in evidence.log.first]
        for record in places:
            before = latest.get(entry.key, (-1, -1))
            if record.offset < before[1]:
                yield f"{entry.key}: request {entry.key_seq} at {record.origin}, before request {before[0]}"
            latest[entry.key] = (entry.key_seq, max(before[1], record.offset))


def _examples(evidence: Evidence) -> Iterator[str]:
    """Yield examples whose number is not the next one of their scope."""
    last: dict[tuple[str, str], int] = {}
    for record, event in evidence.log.facts(ExampleRecorded, ExampleSuperseded):
        scope = (event.fact.tenant, event.fact.scope)
        if event.fact.sequence != last.get(scope, 0) + 1:
            yield f"{record.origin}: example {event.fact.sequence} follows {last.get(scope, 0)}"
        last[scope] = event.fact.sequence


def _partition(record: Incoming) -> tuple[str, int]:
    return record.topic, record.partition
