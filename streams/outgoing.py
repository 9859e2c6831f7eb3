"""Turn what a processor decided into records, each to its topic."""

from datetime import datetime

from events.event import Envelope, Fact
from events.stamp import stamp
from events.topics import Names
from events.wire import Outgoing, encode


def fact_record(fact: Fact, by: Envelope, correlation: str, names: Names, source: str, now: datetime) -> Outgoing:
    """Return the record of a fact that follows from an event; `correlation` is the story it belongs to."""
    event = stamp(fact, source=source, now=now, correlation=correlation, cause=by.id, traceparent=by.traceparent)
    return encode(names.of(fact.event_type.topic), event)
