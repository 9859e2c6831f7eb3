"""C1 to C3: what was acknowledged is in the log and came to an end; what is in the log was applied, and nothing else."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from events.answer import AnswerGiven, RequestRefused
from events.event import Fact
from events.ids import derived_id, request_key
from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptStarted,
    FeedbackGiven,
    FeedbackRevised,
    TaskEnded,
    TaskSubmitted,
)
from events.topics import DEFAULT_TENANT
from events.wire import Incoming
from handlers.dispatch import CONSUMER as DISPATCH
from projections.fold import CONSUMER as PROJECTIONS
from smolit.chaos.check.evidence import Evidence, event_ids
from smolit.chaos.check.finding import Finding, found

LEARNT_FROM = (AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised)


def acknowledged_but_lost(evidence: Evidence) -> list[Finding]:
    """C1: every acknowledged request is in the log, became its facts or was refused, and every task ended with an answer."""
    log, asked = evidence.log, evidence.acknowledged
    requests = {_header(record, "ce_id"): record for record in reversed(_requests(evidence))}
    passed = {name for name, record in requests.items() if evidence.behind("intake", record)}
    unmade = {entry.request_id for entry in asked if set(entry.facts) - log.first.keys()}
    return [
        *found("C1", "an acknowledged request is not in the log", {entry.request_id for entry in asked} - requests.keys()),
        *found("C1", "intake has passed an acknowledged request, and it became no fact", unmade & passed),
        *found("C1", "a row of the outbox is marked as published and is not in the log", _never_published(evidence)),
        *(_unfinished(evidence) if evidence.settled else []),
    ]


def _unfinished(evidence: Evidence) -> list[Finding]:
    """C1, once everything has settled: what was begun came to its end."""
    log, asked = evidence.log, evidence.acknowledged
    refused = {event.fact.request_id for _, event in log.facts(RequestRefused)}
    wanted = {entry.request_id for entry in asked if entry.expects == "refusal"}
    tasks = {entry.task_id for entry in asked if entry.task_id}
    ended = {event.fact.task_id for _, event in log.facts(TaskEnded)}
    answered = {event.fact.task_id for _, event in log.facts(AnswerGiven)}
    return [
        *found("C1", "an acknowledged request became no fact", {f for entry in asked for f in entry.facts} - log.first.keys()),
        *found("C1", "a request that had to be refused was not", wanted - refused),
        *found("C1", "an acknowledged task never ended", tasks - ended),
        *found("C1", "an acknowledged task was never answered", tasks - answered),
        *found("C1", "an attempt was started and never ended", _open_attempts(evidence)),
    ]


def left_nothing(evidence: Evidence) -> list[Finding]:
    """C5: a request that failed for sure left nothing in the log."""
    failed = {entry.request_id for entry in evidence.history if entry.outcome == "fail"}
    sent = {_header(record, "ce_id") for record in _requests(evidence)}
    return found("C5", "a request that surely failed is in the log", failed & sent)


def neither_applied_nor_parked(evidence: Evidence) -> list[Finding]:
    """C2: a fold has taken in every record that it has passed; sets are compared, never ranges of offsets."""
    log, tables = evidence.log, evidence.tables
    parked = {f"{row[0]}/{row[1]}/{row[2]}" for row in tables["parked"]}
    unreadable = {record.origin for record in log.unreadable if evidence.behind(PROJECTIONS, record)}
    facts = {
        event_id
        for event_id, (record, _) in log.first.items()
        if evidence.behind(PROJECTIONS, record) and record.origin not in parked
    }
    learnt = {event.id for record, event in log.facts(*LEARNT_FROM) if evidence.behind("learning", record)}
    inbox = {row[1] for row in tables["inbox"] if row[0] == "learning"}
    queued = {event.fact.task_id for record, event in log.facts(TaskSubmitted) if evidence.behind(DISPATCH, record)}
    asked = {_key(record) for record in _requests(evidence) if evidence.behind("intake", record)}
    return [
        *found("C2", "the projections have passed a fact and do not have it", facts - {row[0] for row in tables["applied"]}),
        *found("C2", "the projections have passed an unreadable record and have not parked it", unreadable - parked),
        *found("C2", "learning has passed a fact and does not have it", learnt - inbox),
        *found("C2", "dispatch has passed a task and does not have it", queued - {row[0] for row in tables["tasks"]}),
        *found("C2", "intake has passed a request and does not know it", asked - {row[0] for row in tables["claims"]}),
    ]


def from_nowhere(evidence: Evidence) -> list[Finding]:
    """C3: what was applied is what stands first in the log under its id, and an id names the slot that its fact fills."""
    log = evidence.log
    rows = {row[0]: (row[1], row[2], row[3], bytes(row[4])) for row in evidence.tables["applied"]}
    places = {
        event_id: (record.topic, record.partition, record.offset, _sha256(record)) for event_id, (record, _) in log.first.items()
    }
    inbox = {row[1] for row in evidence.tables["inbox"]}
    parked = {(row[0], row[1], row[2]) for row in evidence.tables["parked"]}
    refused = [f"{name} at {place[:3]}" for name, place in places.items() if place[:3] in parked]
    return [
        *found("C3", "a fact of ours was refused by the projections", refused),
        *found("C3", "an event was applied that is not in the log", rows.keys() - places.keys()),
        *found("C3", "what was applied is not the first record of its id", _differing(rows, places)),
        *found("C3", "an event was taken in that is not in the log", inbox - places.keys()),
        *found("C3", "a fact's id is not the one of its slot", _misnamed(evidence)),
        *found("C3", "two facts fill one slot", _twice(evidence)),
    ]


def _requests(evidence: Evidence) -> Sequence[Incoming]:
    """Return the records of the request topic."""
    return evidence.log.topics.get(evidence.log.names.requests_of(DEFAULT_TENANT), ())


def _key(record: Incoming) -> str:
    """Return the key that intake knows a request by."""
    return request_key(DEFAULT_TENANT, _header(record, "ce_source"), _header(record, "ce_id"))


def _never_published(evidence: Evidence) -> set[str]:
    """Return the rows of the outbox that are marked, and are not in the log."""
    present = {f"{record.topic} {_header(record, 'ce_id')}" for records in evidence.log.topics.values() for record in records}
    return {f"{topic} {event_ids(headers)}" for topic, headers, marked in evidence.tables["outbox"] if marked} - present


def _open_attempts(evidence: Evidence) -> set[tuple[str, int]]:
    started = {(event.fact.task_id, event.fact.attempt) for _, event in evidence.log.facts(AttemptStarted)}
    return started - {(event.fact.task_id, event.fact.attempt) for _, event in evidence.log.facts(AttemptEnded)}


def _differing(rows: dict[str, tuple[str, int, int, bytes]], places: dict[str, tuple[str, int, int, bytes]]) -> Iterable[str]:
    return (event_id for event_id, row in rows.items() if event_id in places and places[event_id] != row)


def _misnamed(evidence: Evidence) -> Iterable[str]:
    for _, event in evidence.log.first.values():
        fact = event.fact
        if isinstance(fact, Fact) and derived_id(*fact.slot()) != event.id:
            yield f"{event.id} {fact.event_type.name}"


def _twice(evidence: Evidence) -> Iterable[str]:
    slots = Counter(event.fact.slot() for _, event in evidence.log.first.values() if isinstance(event.fact, Fact))
    return (str(slot) for slot, times in slots.items() if times > 1)


def _header(record: Incoming, wanted: str) -> str:
    return next((content.decode("utf-8", "replace") for name, content in record.headers if name == wanted), "")


def _sha256(record: Incoming) -> bytes:
    return hashlib.sha256(record.value or b"").digest()
