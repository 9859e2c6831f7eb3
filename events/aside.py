"""Set a record aside: the dead letter that keeps it whole, with reason and origin, and the word to who asked."""

from datetime import datetime

from events.answer import RequestRefused
from events.dead_letter import DeadLetter, Stage
from events.event import Envelope
from events.ids import derived_id, request_key
from events.stamp import stamp
from events.text import plain
from events.topics import Names
from events.wire import Incoming, Outgoing, encode


def dead_letter(record: Incoming, stage: Stage, tenant: str, reason: str, detail: str, names: Names, now: datetime) -> Outgoing:
    """Return the dead letter of a record, for the topic beside its own; `detail` is made fit to be stored and read."""
    key = plain((record.key or b"").decode("utf-8", "replace"))
    fact = DeadLetter(
        tenant=tenant,
        stage=stage,
        reason=reason,
        detail=plain(detail, 1000),
        origin_topic=record.topic,
        origin_partition=record.partition,
        origin_offset=record.offset,
        original_key=key,
        original_headers=record.headers,
        original_value=record.value or b"",
    )
    event = stamp(fact, source=f"smolit/{stage}", now=now, correlation=key or record.origin, cause=record.origin)
    return encode(names.dead_letters_of(record.topic), event)


def refusal(
    record: Incoming,
    tenant: str,
    envelope: Envelope | None,
    reason: str,
    detail: str,
    names: Names,
    now: datetime,
    source: str = "smolit/intake",
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
    return encode(names.of(fact.event_type.topic), stamp(fact, source=source, now=now, correlation=known, cause=cause))
