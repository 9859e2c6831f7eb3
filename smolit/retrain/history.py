"""What the log knows of a scope's attempts: what was seen at each choice, and what became known when. Pure.

What a row looks at is what its choice recorded, and nothing else. Where the log says that a choice came after its outcome, or an
example names other features than its choice, nothing is trained: a network that can look at outcomes learns to.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from events.event import Event, Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded
from events.wire import Incoming, decode, event_type
from learning.errors import LearningError
from smolit.model.fold import Scope

_WANTS = frozenset(cls.event_type.wire_name for cls in (AgentChosen, AttemptEnded, ExampleRecorded, ExampleSuperseded))
Key = tuple[str, int]  # task, attempt


class OutcomeLeak(LearningError):
    """The log says that something was seen before a choice that came after its outcome, or not at all."""


class Lesson(NamedTuple):
    """A reward, or a correction of one: its number in the scope, where and when it lies in the log."""

    key: Key
    sequence: int
    offset: int
    at: datetime
    reward: float
    first: bool


class Attempt(NamedTuple):
    """A choice, and its end if it came; lessons in the order of the log."""

    choice: AgentChosen
    at: datetime
    ended: AttemptEnded | None
    ended_at: datetime | None
    lessons: Sequence[Lesson]

    @property
    def key(self) -> Key:
        """Which attempt it is."""
        return self.choice.task_id, self.choice.attempt


class History(NamedTuple):
    """Attempts by the time of their choice, and all lessons of the scope by number; `elsewhere`: chosen through another map."""

    attempts: Sequence[Attempt]
    lessons: Sequence[Lesson]
    elsewhere: int


class _Place(NamedTuple):
    """A fact and where it lies."""

    fact: Message
    record: Incoming
    at: datetime


def history(records: Iterable[Incoming], scope: Scope, context_map: str) -> History:
    """Return what the log knows of a scope; records must be in log order within each partition.

    Raises:
        OutcomeLeak: a choice lies after its own end, or an example looks at something else than its choice did.
    """
    choices: dict[Key, _Place] = {}
    ends: dict[Key, _Place] = {}
    lessons: dict[Key, list[Lesson]] = {}
    last = 0
    for place in _facts(records):
        match place.fact:
            case AgentChosen() as choice if (choice.tenant, choice.context.scope) == scope:
                choices.setdefault((choice.task_id, choice.attempt), place)  # the first in the log counts
            case AttemptEnded() as ended if ended.tenant == scope.tenant:
                ends.setdefault((ended.task_id, ended.attempt), place)
            case (ExampleRecorded() | ExampleSuperseded()) as example if (example.tenant, example.scope) == scope:
                if example.sequence > last:  # else it was published twice
                    last = example.sequence
                    lesson = _lesson(example, place)
                    lessons.setdefault(lesson.key, []).append(lesson)
                    _check_features(example, choices)
    for key in choices.keys() & ends.keys():
        _check_order(choices[key], ends[key])
    found = [_attempt(place, ends.get(key), lessons.get(key, ())) for key, place in choices.items()]
    ours = [one for one in found if one.choice.context_map == context_map]
    ours.sort(key=lambda one: (one.at, one.key))
    told = sorted((lesson for each in lessons.values() for lesson in each), key=lambda one: one.sequence)
    return History(ours, told, len(found) - len(ours))


def _facts(records: Iterable[Incoming]) -> Iterable[_Place]:
    """Yield the facts that a history is made of: those of tasks before what was learned of them."""
    later = []
    for record in records:
        if event_type(record.headers) in _WANTS:
            event: Event[Message] = decode(record.headers, record.value)
            place = _Place(event.fact, record, event.envelope.time)
            if isinstance(event.fact, ExampleRecorded | ExampleSuperseded):
                later.append(place)
            else:
                yield place
    yield from later


def _lesson(example: ExampleRecorded | ExampleSuperseded, place: _Place) -> Lesson:
    key, first = (example.task_id, example.attempt), isinstance(example, ExampleRecorded)
    return Lesson(key, example.sequence, place.record.offset, place.at, example.reward, first)


def _attempt(choice: _Place, ended: _Place | None, lessons: Sequence[Lesson]) -> Attempt:
    assert isinstance(choice.fact, AgentChosen)  # what was put there
    end = ended.fact if ended is not None and isinstance(ended.fact, AttemptEnded) else None
    return Attempt(choice.fact, choice.at, end, ended.at if ended is not None else None, lessons)


def _check_features(example: ExampleRecorded | ExampleSuperseded, choices: dict[Key, _Place]) -> None:
    place = choices.get((example.task_id, example.attempt))
    if place is not None and isinstance(place.fact, AgentChosen) and place.fact.context.features != example.features:
        raise OutcomeLeak(
            f"example {example.sequence} (task {example.task_id}) looks at other features than its choice recorded: nothing is "
            "trained on what was not seen"
        )


def _check_order(choice: _Place, ended: _Place) -> None:
    """Refuse a choice that was recorded after its end; one key has one partition, so offsets tell."""
    one, other = choice.record, ended.record
    if (one.topic, one.partition) == (other.topic, other.partition) and one.offset > other.offset:
        raise OutcomeLeak(
            f"the choice at {one.origin} was recorded after the attempt's end at {other.origin}: what it looks at may hold "
            "the outcome"
        )
