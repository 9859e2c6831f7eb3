"""Turn what a processor decided into records: facts, refusals, dead letters, each to its topic."""

from datetime import datetime

from events.answer import RequestRefused
from events.event import Envelope, Fact
from events.ids import derived_id, request_key
from events.stamp import stamp
from events.topics import Names
from events.wire import Incoming, Outgoing, encode


def fact_record(fact: Fact, by: Envelope, correlation: str, names: Names, source: str, now: datetime) -> Outgoing:
    """Return the record of a fact that follows from an event; `correlation` is the story it belongs to."""
    event = stamp(fact, source=source, now=now, correlation=correlation, cause=by.id, traceparent=by.traceparent)
    return encode(names.of(fact.event_type.topic), event)


def refusal(
    record: Incoming, tenant: str, envelope: Envelope | None, reason: str, detail: str, names: Names, now: datetime
) -> Outgoing:
    """Return what tells the producer why its request became no fact."""
    known = request_key(tenant, envelope.source, envelope.id) if envelope else derived_id("refused", record.origin)
    fact = RequestRefused(
        tenant=tenant,
        request_key=known,
        request_id=envelope.id if envelope else None,
        requested_by=envelope.source if envelope else None,
        reason=reason,
        detail=detail,
        origin=record.origin,
    )
    cause = envelope.id if envelope else record.origin
    return encode(names.of(fact.event_type.topic), stamp(fact, source="smolit/intake", now=now, correlation=known, cause=cause))
