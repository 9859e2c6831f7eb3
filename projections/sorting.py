"""From records to facts: what can be read and means something, and what is set aside with its reason."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import cast

import msgspec
from msgspec import Struct

from events.dead_letter import DeadLetter, DeadLetterSettled
from events.errors import EventError
from events.event import Event, Fact, Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised, TaskAdmitted, TaskSubmitted
from events.text import unstorable
from events.topics import Names
from events.wire import Incoming, decode
from projections.event_log import row_of
from projections.projection import Logged

# The largest integer that a column holds; durations and costs are sums, so none of them may come near it.
LARGEST = 2**63 - 1
LARGEST_ADDEND = 10**15
_NUL = b"\\u0000"  # the one way to write it in JSON; Postgres cannot hold it, and intake keeps it out


class Parked(Struct, frozen=True):
    """A record that no read model can take in, and why."""

    record: Incoming
    reason: str
    detail: str


class SortedRecord(Incoming, frozen=True, gc=False):
    """A record that was read out: what it is, and, if it is a fact, its row in the event log as JSON."""

    found: "Logged | Parked"
    row: bytes


class Unfit(Exception):
    """A record that decodes and still cannot be a fact of ours."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def sorted_of(record: Incoming, names: Names) -> SortedRecord:
    """Return a record read out; one that is stays as it is."""
    if isinstance(record, SortedRecord):
        return record
    found = sort_record(record, names)
    row = row_of(found, record.value or b"") if isinstance(found, Logged) else b""
    return SortedRecord(record.topic, record.partition, record.offset, record.key, record.headers, record.value, found, row)


def sort_record(record: Incoming, names: Names) -> Logged | Parked:
    """Return the fact in a record, or the record with the reason why it has none."""
    try:
        event = decode(record.headers, record.value)
        return Logged(_fit(event, record, names), record.topic, record.partition, record.offset)
    except EventError as error:
        return Parked(record, error.code, str(error))
    except Unfit as unfit:
        return Parked(record, unfit.reason, str(unfit))


def chunks(records: Sequence[Incoming], most_bytes: int) -> Iterator[list[Incoming]]:
    """Yield the records in order, in pieces that fit into one statement."""
    chunk: list[Incoming] = []
    size = 0
    for record in records:
        length = len(record.value or b"")
        if chunk and size + length > most_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += length
    if chunk:
        yield chunk


def _fit(event: Event[Message], record: Incoming, names: Names) -> Event[Fact]:
    """Return the event of a fact that belongs where it was found and says nothing impossible."""
    fact = event.fact
    if not isinstance(fact, Fact) or not _at_home(fact, record.topic, names):
        raise Unfit("wrong_topic", f"{fact.event_type.name} does not belong on {record.topic}")
    if wrong := _impossible(fact):
        raise Unfit("out_of_range", f"{fact.event_type.name}: {wrong}")
    if _may_hold_nul(record.value or b"") and (flaw := unstorable(msgspec.to_builtins(fact), fact.event_type.name)):
        raise Unfit("cannot_be_stored", flaw)
    return cast(Event[Fact], event)


def _may_hold_nul(value: bytes) -> bool:
    """Tell whether it is worth looking at every text of a fact: nearly no record spells NUL, or hides its bytes."""
    return _NUL in value or b"data_base64" in value


def _at_home(fact: Fact, topic: str, names: Names) -> bool:
    """Tell whether a fact was found on its own topic."""
    if isinstance(fact, DeadLetter | DeadLetterSettled):
        return topic.endswith(names.dead_letters_of(""))
    return topic == names.of(fact.event_type.topic)


def _impossible(fact: Fact) -> str | None:
    """Return what no such fact can say: a time or a cost below zero, a share outside [0, 1]."""
    if (integers := _integers(fact)) and (max(integers) > LARGEST or min(integers) < -LARGEST):
        return "an integer does not fit 63 bits"
    match fact:
        case AttemptEnded(duration_us=duration, cost_microusd=cost) if not _addends(duration, cost or 0):
            return f"duration and cost lie between 0 and {LARGEST_ADDEND}"
        case AgentChosen(propensity=propensity) if not 0 < propensity <= 1:
            return "a propensity lies in (0, 1]"
        case FeedbackGiven(value=value) | FeedbackRevised(value=value) if value is not None and not 0 <= value <= 1:
            return "a feedback's value lies in [0, 1]"
        case ExampleRecorded(reward=reward) | ExampleSuperseded(reward=reward) if not 0 <= reward <= 1:
            return "a reward lies in [0, 1]"
        case ExampleSuperseded(old_reward=reward) if not 0 <= reward <= 1:
            return "a reward lies in [0, 1]"
        case TaskSubmitted(deadline=moment) if not _in_calendar(moment):
            return "the deadline lies outside the calendar"
        case TaskAdmitted(context=context) if not _in_calendar(context.deadline):
            return "the deadline lies outside the calendar"
        case _:
            return None


def _integers(fact: Fact) -> list[int]:
    """Return the integers that become columns."""
    found = [item for item in _those_that_may(type(fact))(fact) if isinstance(item, int)]
    return [*found, fact.policy.version, fact.policy.upto] if isinstance(fact, AgentChosen) else found


@cache
def _those_that_may(kind: type[Fact]) -> Callable[[Fact], Sequence[object]]:
    """Return what gives the fields of a fact that can hold an integer."""
    match _may_be_integer(kind):
        case ():
            return lambda _fact: ()
        case (name,):
            return lambda fact: (getattr(fact, name),)
        case names:
            return attrgetter(*names)


def _may_be_integer(kind: type[Fact]) -> tuple[str, ...]:
    """Return the fields of a fact that can hold an integer."""
    told = msgspec.inspect.type_info(kind)
    fields = told.fields if isinstance(told, msgspec.inspect.StructType) else ()
    return tuple(field.name for field in fields if _takes_integer(field.type))


def _takes_integer(told: msgspec.inspect.Type) -> bool:
    """Tell whether a field of this type can hold an integer."""
    if isinstance(told, msgspec.inspect.Metadata):
        return _takes_integer(told.type)
    if isinstance(told, msgspec.inspect.UnionType):
        return any(_takes_integer(one) for one in told.types)
    return isinstance(told, msgspec.inspect.IntType | msgspec.inspect.BoolType | msgspec.inspect.AnyType)


def _addends(*amounts: int) -> bool:
    """Tell whether amounts may be added to a sum."""
    return all(0 <= amount <= LARGEST_ADDEND for amount in amounts)


def _in_calendar(moment: datetime) -> bool:
    """Tell whether a moment can be said in UTC."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
