"""The floor's two lists: they fit together, they are those of the real code, and what differs from a run is named."""

from collections import Counter

from msgspec.structs import replace

from bench.floor import (
    HOPS,
    PRODUCER,
    READERS,
    Duty,
    Fact,
    Traffic,
    acting,
    differences,
    duties,
    published_bytes,
    read_bytes,
)
from events.topics import DEFAULT_TENANT, TASKS, Names
from handlers import dispatch, supervisor
from projections.runner import places
from smolit.demo.watch import FOLLOWED
from smolit.process.roster import BESIDE, PROCESSES
from streams.learning import SOURCE as LEARNING
from streams.records import SOURCE as INTAKE

TASKS_SEEN = 10
SHOWN = Traffic(
    read=tuple((one.by, tuple(topic.entity for topic in one.topics)) for one in READERS if one.by != PRODUCER),
    published=frozenset((hop.by, hop.topic.entity) for hop in HOPS if hop.by != PRODUCER),
)


def facts() -> dict[str, Fact]:
    """Return what a run shows that does exactly what is listed: ten bytes of key, twenty of headers, thirty of value."""
    return {hop.name: Fact(hop.name, f"smolit/{hop.maker}", TASKS_SEEN, None, (), 10.0, 20.0, 30.0) for hop in HOPS}


def acted_on(process: str) -> Counter[str]:
    """Return how often a process acts on one task's facts, by CloudEvents type."""
    return Counter(hop.name for topics in acting(process) for hop in HOPS if hop.topic in topics)


def test_every_fact_reaches_whoever_makes_the_next_one() -> None:
    """The first process on the way from a fact to the next one reads the fact's topic."""
    for hop in HOPS:
        first = (*hop.hands, hop.by)[0]
        assert hop.after is None or acted_on(first)[hop.after.event_type.wire_name] == 1, hop


def test_every_process_has_its_place() -> None:
    """Each process of ours reads, hands on or publishes, and nobody else does."""
    named = {one.by for one in READERS} | {hop.by for hop in HOPS} | {hand for hop in HOPS for hand in hop.hands}

    assert named == {PRODUCER, *PROCESSES} - set(BESIDE)


def test_plain_readers_read_what_is_listed() -> None:
    """Dispatch, projections and the producer follow the listed topics, by their own declarations."""
    names = Names()
    listed: dict[str, set[str]] = {}
    for one in READERS:
        listed.setdefault(one.by, set()).update(names.of(topic) for topic in one.topics)
    travelled = {names.of(hop.topic) for hop in HOPS}

    read = {topic for topic, _ in (*dispatch.places(names), *supervisor.places(names))}
    assert read & travelled == listed["dispatch"]
    assert {topic for topic, _ in places(names, [DEFAULT_TENANT])} & travelled == listed["projections"]
    assert {names.of(topic) for topic in FOLLOWED} == listed[PRODUCER]


def test_makers_are_the_sources_of_the_facts() -> None:
    """A fact's maker is the process whose name its source carries."""
    makers = {f"smolit/{hop.maker}" for hop in HOPS}

    assert makers == {f"smolit/{PRODUCER}", INTAKE, LEARNING, "smolit/worker"}


def test_duties_say_who_publishes_and_who_only_hands_on() -> None:
    """A choice goes from dispatch over a worker to the relay, which publishes four facts for it."""
    choice = "smolit.agent.chosen.v1"

    assert duties("dispatch")[choice] == Duty((), ("worker",))
    assert duties("worker")[choice] == Duty((), ("relay",))
    assert len(duties("relay")[choice].publish) == 4
    assert duties("relay")[choice].tell == ()
    assert duties("projections") == {}


def test_bytes_are_those_of_what_is_published_and_read() -> None:
    """Intake publishes four facts of a task and reads three, one of them to choose by; selection reads eight."""
    assert (published_bytes("intake", facts()), read_bytes("intake", facts())) == (240.0, 180.0)
    assert read_bytes("selection", facts()) == 8 * 60.0


def test_a_run_that_does_what_is_listed_differs_in_nothing() -> None:
    """Readers of other topics and facts that belong to no task are none of the floor's business."""
    seen = facts() | {"smolit.snapshot.published.v1": Fact("snapshot", "smolit/learning", 1, None, (), 0.0, 0.0, 0.0)}
    others = Traffic((*SHOWN.read, ("intake", ()), ("dispatch", ("agents",))), SHOWN.published | {("worker", "agents.live")})

    assert differences(seen, SHOWN, TASKS_SEEN) == []
    assert differences(seen, others, TASKS_SEEN) == []


def test_what_a_run_does_besides_is_named() -> None:
    """Another fact per task, another reader and another publisher each have their words."""
    more = facts() | {"smolit.task.scored.v1": Fact("scored", "smolit/scorer", TASKS_SEEN, None, (), 0.0, 0.0, 0.0)}
    traffic = Traffic((*SHOWN.read, ("scorer", (TASKS.entity,))), SHOWN.published | {("scorer", TASKS.entity)})

    assert differences(more, traffic, TASKS_SEEN) == [
        "smolit.task.scored.v1 comes 1.00 times per task",
        "scorer reads tasks, which is not listed",
        "scorer publishes to tasks, which is not listed",
    ]


def test_what_a_run_does_no_longer_is_named() -> None:
    """A fact that stays away or has another maker, and a reader that is gone, each have their words."""
    seen = facts()
    del seen["smolit.attempt.started.v1"]
    seen["smolit.agent.chosen.v1"] = replace(seen["smolit.agent.chosen.v1"], source="smolit/selection")
    traffic = Traffic(SHOWN.read[1:], frozenset(one for one in SHOWN.published if one[0] != "intake"))

    assert differences(seen, traffic, TASKS_SEEN) == [
        "smolit.agent.chosen.v1 is made by smolit/selection, not by smolit/intake",
        f"smolit.attempt.started.v1 came 0 times for {TASKS_SEEN} tasks",
        "intake does not read requests",
        "intake does not publish to tasks",
    ]
