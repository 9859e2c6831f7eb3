"""What an event is: a fact (what happened) in an envelope (who, when, because of what).

An event class is declared with `@event`; its wire name and version are written down by hand and outlive the class name.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from events.field import says
from events.topics import Topic

Payload = dict[str, Any]


class EventType(Struct, frozen=True):
    """The stored identity of an event class: name, version, topic, and the field that is its Kafka key."""

    name: str
    version: int
    topic: Topic
    key: str

    @property
    def wire_name(self) -> str:
        """Return the CloudEvents type, such as `smolit.task.submitted.v1`."""
        return f"smolit.{self.name}.v{self.version}"

    @property
    def wire_names(self) -> frozenset[str]:
        """Return the types of this version and of all before it: whoever reads the newest reads what they wrote, too."""
        return frozenset(f"smolit.{self.name}.v{version}" for version in range(1, self.version + 1))

    @property
    def schema_id(self) -> str:
        """Return the CloudEvents dataschema, such as `smolit:task.submitted:1`; `events.schema` gives what it names."""
        return f"smolit:{self.name}:{self.version}"


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that travels: an immutable payload with a declared type."""

    event_type: ClassVar[EventType]

    @property
    def key(self) -> str:
        """Return the Kafka key; records with one key stay in order."""
        return str(getattr(self, self.event_type.key))


class Fact(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened, written by us alone."""

    unlogged: ClassVar[frozenset[str]] = frozenset()  # fields that the event log in Postgres leaves out: long, or to be forgotten
    tenant: Annotated[str, says("Whose it is.")]

    def slot(self) -> tuple[str | int, ...]:
        """Return the slot that this fact fills; two facts of one slot share an id and the first in the log wins."""
        raise TypeError(f"{type(self).__name__} declares no slot")


M = TypeVar("M", bound=Message)
F = TypeVar("F", bound=Message, covariant=True)


def event(name: str, *, version: int, topic: Topic, key: str) -> Callable[[type[M]], type[M]]:
    """Give a message class its stored name; the class may be renamed, this line may not."""

    def declare(cls: type[M]) -> type[M]:
        cls.event_type = EventType(name, version, topic, key)
        return cls

    return declare


class Upcast(Struct, frozen=True):
    """One step from a stored version of an event to the next."""

    name: str
    from_version: int
    step: Callable[[Payload], Payload]


def upcast(name: str, *, from_version: int) -> Callable[[Callable[[Payload], Payload]], Upcast]:
    """Declare the pure function that lifts a stored payload by one version."""

    def declare(step: Callable[[Payload], Payload]) -> Upcast:
        return Upcast(name, from_version, step)

    return declare


class Envelope(Struct, frozen=True, kw_only=True, gc=False):
    """CloudEvents 1.0 attributes of one event, and our two extensions that tie a story together.

    `correlation_id` is the task (or the request); `causation_id` is the event just before. `time` is UTC.
    """

    id: str
    source: str
    subject: str
    time: datetime
    correlation_id: str
    causation_id: str
    traceparent: str | None = None


class Event(Struct, Generic[F], frozen=True, gc=False):
    """A fact in its envelope."""

    envelope: Envelope
    fact: F

    @property
    def id(self) -> str:
        """Return the event id."""
        return self.envelope.id
