"""Set a record aside: the dead letter that keeps it whole, with reason and origin."""

from datetime import datetime

from events.dead_letter import DeadLetter, Stage
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
