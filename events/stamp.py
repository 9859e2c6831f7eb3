"""Put a fact into its envelope: id from its slot, correlation from its story, causation from the event before."""

from datetime import datetime

from events.event import Envelope, Event, Fact
from events.ids import derived_id


def stamp(fact: Fact, *, source: str, now: datetime, correlation: str, cause: str, traceparent: str | None = None) -> Event[Fact]:
    """Return the event of a fact; the same fact always gets the same id."""
    envelope = Envelope(
        id=derived_id(*fact.slot()),
        source=source,
        subject=fact.key,
        time=now,
        correlation_id=correlation,
        causation_id=cause,
        traceparent=traceparent,
    )
    return Event(envelope, fact)


def caused(fact: Fact, by: Envelope, *, source: str, now: datetime) -> Event[Fact]:
    """Return the event of a fact that follows from another event and belongs to the same story."""
    return stamp(
        fact,
        source=source,
        now=now,
        correlation=by.correlation_id,
        cause=by.id,
        traceparent=by.traceparent,
    )
