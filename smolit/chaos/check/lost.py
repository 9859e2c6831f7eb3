"""C1 to C3: what was acknowledged is in the log and came to an end; what is in the log was applied, and nothing else."""

import hashlib
from collections import Counter
from collections.abc import Iterable

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
from events.topics import DEFAULT_TENANT, FACT_TOPICS
from events.wire import Incoming
from smolit.chaos.check.evidence import Evidence, event_ids
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.client import SOURCE

LEARNT_FROM = (AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised)


def acknowledged_but_lost(evidence: Evidence) -> list[Finding]:
    """C1: every acknowledged request is in the log, became its facts or was refused, and every task ended with an answer."""
    log, asked = evidence.log, evidence.acknowledged
    sent = {_header(record, "ce_id") for record in log.topics.get(log.names.requests_of(DEFAULT_TENANT), ())}
    refused = {event.fact.request_id for _, event in log.facts(RequestRefused)}
    ended = {event.fact.task_id for _, event in log.facts(TaskEnded)}
    answered = {event.fact.task_id for _, event in log.facts(AnswerGiven)}
    tasks = {entry.task_id for entry in asked if entry.task_id}
    wanted = {entry.request_id for entry in asked if entry.expects == "refusal"}
    return [
        *found("C1", "an acknowledged request is not in the log", {e.request_id for e in asked} - sent),
        *found("C1", "an acknowledged request became no fact", {f for e in asked for f in e.facts} - log.first.keys()),
        *found("C1", "a request that had to be refused was not", wanted - refused),
        *found("C1", "an acknowledged task never ended", tasks - ended),
        *found("C1", "an acknowledged task was never answered", tasks - answered),
        *found("C1", "a record of the outbox is not in the log", _never_published(evidence)),
        *found("C1", "an attempt was started and never ended", _open_attempts(evidence)),
    ]


def left_nothing(evidence: Evidence) -> list[Finding]:
    """C5: a request that failed for sure left nothing in the log."""
    log = evidence.log
    sent = {_header(record, "ce_id") for record in log.topics.get(log.names.requests_of(DEFAULT_TENANT), ())}
    failed = {entry.request_id for entry in evidence.history if entry.outcome == "fail"}
    return found("C5", "a request that surely failed is in the log", failed & sent)


def neither_applied_nor_parked(evidence: Evidence) -> list[Finding]:
    """C2: every fold has taken in every record that is for it, once; sets are compared, never ranges of offsets."""
    log = evidence.log
    applied = {row[0] for row in evidence.tables["applied"]}
    parked = {(row[0], row[1], row[2]) for row in evidence.tables["parked"]}
    sick = {(record.topic, record.partition, record.offset) for record in log.unreadable if _is_projected(evidence, record)}
    learnt = {event.id for _, event in log.facts(*LEARNT_FROM)}
    inbox = {row[1] for row in evidence.tables["inbox"] if row[0] == "learning"}
    queued = {row[0] for row in evidence.tables["tasks"]}
    submitted = {event.fact.task_id for _, event in log.facts(TaskSubmitted)}
    claimed = {row[0] for row in evidence.tables["claims"]}
    keys = {request_key(DEFAULT_TENANT, SOURCE, entry.request_id) for entry in evidence.acknowledged}
    return [
        *found("C2", "a fact in the log is not in the event log", _projected(evidence) - applied),
        *found("C2", "an unreadable record was not parked", sick - parked),
        *found("C2", "learning has not taken in a fact", learnt - inbox),
        *found("C2", "dispatch has not taken in a task", submitted - queued),
        *found("C2", "intake has not taken in a request", keys - claimed),
    ]


def from_nowhere(evidence: Evidence) -> list[Finding]:
    """C3: what was applied is what stands first in the log under its id, and an id names the slot that its fact fills."""
    log = evidence.log
    rows = {row[0]: (row[1], row[2], row[3], bytes(row[4])) for row in evidence.tables["applied"]}
    places = {
        event_id: (record.topic, record.partition, record.offset, _sha256(record)) for event_id, (record, _) in log.first.items()
    }
    inbox = {row[1] for row in evidence.tables["inbox"]}
    return [
        *found("C3", "an event was applied that is not in the log", rows.keys() - places.keys()),
        *found("C3", "what was applied is not the first record of its id", _differing(rows, places)),
        *found("C3", "an event was taken in that is not in the log", inbox - places.keys()),
        *found("C3", "a fact's id is not the one of its slot", _misnamed(evidence)),
        *found("C3", "two facts fill one slot", _twice(evidence)),
    ]


def _projected(evidence: Evidence) -> set[str]:
    """Return the ids of the facts that the projections read."""
    return {event_id for event_id, (record, _) in evidence.log.first.items() if _is_projected(evidence, record)}


def _is_projected(evidence: Evidence, record: Incoming) -> bool:
    names = evidence.log.names
    return record.topic in {names.of(topic) for topic in FACT_TOPICS} or record.topic.endswith(names.dead_letters_of(""))


def _never_published(evidence: Evidence) -> set[str]:
    """Return the rows of the outbox, published or not, that are not in the log."""
    present = {f"{record.topic} {_header(record, 'ce_id')}" for records in evidence.log.topics.values() for record in records}
    return {f"{topic} {event_ids(headers)}" for topic, headers, _ in evidence.tables["outbox"]} - present


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
