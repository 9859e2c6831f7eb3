"""The floor under `bench path`: the hops of a task's facts, and what is left of each process if it only passes them on.

Each fact is produced once and read as often as in ours, by the same process, through topics of the same shape, with the same
acknowledgements and as many bytes. What goes through Postgres in ours goes through a pipe. There are no features, no choice, no
learning and no tables: less than this cannot be had from Kafka in Python. The bench compares the two lists below with what its
own run has shown, and refuses to go on when they differ.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from events.answer import AnswerGiven
from events.event import Message
from events.learning import ExampleRecorded
from events.request import GiveFeedback, SubmitTask
from events.task import AgentChosen, AttemptEnded, AttemptStarted, FeedbackGiven, TaskAdmitted, TaskEnded, TaskSubmitted
from events.topics import ANSWERS, LEARNING, REQUESTS, TASKS, Topic

PRODUCER = "producer"  # the bench itself: it asks, waits for answers, and judges them
WORK = ("dispatch", "worker")


class Hop(NamedTuple):
    """One fact of every task: who publishes it, which fact it follows from, and who hands that on inside Postgres before."""

    fact: type[Message]
    by: str
    after: type[Message] | None = None
    hands: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the CloudEvents type."""
        return self.fact.event_type.wire_name

    @property
    def topic(self) -> Topic:
        """Return where it is published."""
        return self.fact.event_type.topic

    @property
    def maker(self) -> str:
        """Return the process that makes it, whose name stands in the event's source."""
        return self.hands[-1] if self.hands else self.by


class Reader(NamedTuple):
    """One consumer: whose, and of which topics that facts of tasks travel on."""

    by: str
    topics: tuple[Topic, ...]


class Duty(NamedTuple):
    """What a process does for one fact: publish others, and tell processes of it."""

    publish: tuple[str, ...]
    tell: tuple[str, ...]


class Fact(Struct, frozen=True):
    """What one kind of fact looked like in a run: how many, by whom, and the mean bytes of one.

    `headers` are those of one of them; `key` is what they all had in common, None where each had its own.
    """

    name: str
    source: str
    records: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    key_bytes: float
    header_bytes: float
    value_bytes: float

    @property
    def total_bytes(self) -> float:
        """Return the bytes of a record that are ours: without what Kafka frames them with."""
        return self.key_bytes + self.header_bytes + self.value_bytes


class Traffic(Struct, frozen=True):
    """Who was seen to read and to publish what, besides the producer: (process, topics of one consumer), (process, topic)."""

    read: tuple[tuple[str, tuple[str, ...]], ...]
    published: frozenset[tuple[str, str]]


HOPS: tuple[Hop, ...] = (
    Hop(SubmitTask, PRODUCER),
    Hop(TaskSubmitted, "intake", SubmitTask),
    Hop(TaskAdmitted, "intake", SubmitTask),
    Hop(AgentChosen, "intake", SubmitTask),
    Hop(AttemptStarted, "relay", AgentChosen, WORK),
    Hop(AttemptEnded, "relay", AgentChosen, WORK),
    Hop(TaskEnded, "relay", AgentChosen, WORK),
    Hop(AnswerGiven, "relay", AgentChosen, WORK),
    Hop(GiveFeedback, PRODUCER, AnswerGiven),
    Hop(FeedbackGiven, "intake", GiveFeedback),
    Hop(ExampleRecorded, "relay", FeedbackGiven, ("learning",)),
)
READERS: tuple[Reader, ...] = (
    Reader("intake", (REQUESTS,)),
    Reader("intake", (LEARNING,)),
    Reader("selection", (TASKS,)),
    Reader("selection", (LEARNING,)),
    Reader("learning", (TASKS,)),
    Reader("learning", (LEARNING,)),
    Reader("dispatch", (TASKS,)),
    Reader("dispatch", (ANSWERS, TASKS)),  # the supervisor of split tasks
    Reader("projections", (LEARNING, TASKS)),
    Reader(PRODUCER, (ANSWERS, LEARNING, TASKS)),
)
TRAVELLED: tuple[Topic, ...] = tuple(dict.fromkeys(hop.topic for hop in HOPS))


def duties(process: str) -> dict[str, Duty]:
    """Return what a process does for each fact that reaches it, by the fact's CloudEvents type."""
    found: dict[str, Duty] = {}
    for hop in HOPS:
        path = (*hop.hands, hop.by)
        if hop.after is not None and process in path:
            cause, next_ones = hop.after.event_type.wire_name, path[path.index(process) + 1 :][:1]
            known = found.get(cause, Duty((), ()))
            made = known.publish if next_ones else (*known.publish, hop.name)
            found[cause] = Duty(made, tuple(dict.fromkeys((*known.tell, *next_ones))))
    return found


def consumers(process: str) -> list[tuple[Topic, ...]]:
    """Return the topics of each consumer of a process."""
    return [reader.topics for reader in READERS if reader.by == process]


def acting(process: str) -> list[frozenset[Topic]]:
    """Return, for each consumer of a process, the topics on which it acts: those that no other one before it reads."""
    found: list[frozenset[Topic]] = []
    for topics in consumers(process):
        found.append(frozenset(topics).difference(*found))
    return found


def awaited(process: str) -> Counter[str]:
    """Return how often one task's facts reach a process through Kafka, by CloudEvents type."""
    return Counter(hop.name for topics in consumers(process) for hop in HOPS if hop.topic in topics)


def published_bytes(process: str, facts: Mapping[str, Fact]) -> float:
    """Return the bytes per task that a process publishes."""
    return sum(facts[hop.name].total_bytes for hop in HOPS if hop.by == process)


def read_bytes(process: str, facts: Mapping[str, Fact]) -> float:
    """Return the bytes per task that a process reads."""
    return sum(facts[name].total_bytes * times for name, times in awaited(process).items())


def differences(facts: Mapping[str, Fact], traffic: Traffic, tasks: int) -> list[str]:
    """Return in a few words each what a run of so many tasks has shown that is not listed here, or the other way round."""
    return [*_other_facts(facts, tasks), *_other_readers(traffic.read), *_other_publishers(traffic.published)]


def _other_facts(facts: Mapping[str, Fact], tasks: int) -> list[str]:
    """Compare facts and their makers; what comes now and then, such as a snapshot, belongs to no task."""
    listed = {hop.name: hop for hop in HOPS}
    wrong = [f"{name} comes {facts[name].records / tasks:.2f} times per task" for name in sorted(facts) if name not in listed
             and facts[name].records * 2 >= tasks]  # fmt: skip
    for name, hop in listed.items():
        seen = facts.get(name)
        if seen is None or seen.records != tasks:
            wrong.append(f"{name} came {seen.records if seen else 0} times for {tasks} tasks")
        elif seen.source != f"smolit/{hop.maker}":
            wrong.append(f"{name} is made by {seen.source}, not by smolit/{hop.maker}")
    return wrong


def _other_readers(read: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """Compare the consumers."""
    names = {topic.entity for topic in TRAVELLED}
    seen = Counter((by, kept) for by, topics in read if (kept := tuple(sorted(set(topics) & names))))
    listed = Counter((one.by, tuple(sorted(topic.entity for topic in one.topics))) for one in READERS if one.by != PRODUCER)
    more = [f"{by} reads {' and '.join(topics)}, which is not listed" for by, topics in _sorted(seen - listed)]
    return more + [f"{by} does not read {' and '.join(topics)}" for by, topics in _sorted(listed - seen)]


def _other_publishers(published: Iterable[tuple[str, str]]) -> list[str]:
    """Compare who publishes what."""
    names = {topic.entity for topic in TRAVELLED}
    seen = {(by, topic) for by, topic in published if topic in names}
    listed = {(hop.by, hop.topic.entity) for hop in HOPS if hop.by != PRODUCER}
    more = [f"{by} publishes to {topic}, which is not listed" for by, topic in sorted(seen - listed)]
    return more + [f"{by} does not publish to {topic}" for by, topic in sorted(listed - seen)]


def _sorted(pairs: "Counter[tuple[str, tuple[str, ...]]]") -> Sequence[tuple[str, tuple[str, ...]]]:
    return sorted(pairs.elements())
