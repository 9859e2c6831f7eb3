"""Topics: names, partitions and settings, as they are written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalog import FACTS
from events.topics import (
    AGENTS_LIVE,
    CONTROL_TOPICS,
    FACT_TOPICS,
    MAX_DEAD_LETTER_BYTES,
    MAX_RECORD_BYTES,
    PIECES,
    REQUESTS,
    TASKS,
    TOPICS,
    Names,
    max_bytes_of,
)


def test_names_are_those_in_the_log() -> None:
    """Names are stored for ever in brokers and positions; nobody changes them by accident."""
    assert sorted(Names().all(["default"])) == [
        "smolit.agents.live.v1",
        "smolit.agents.v1",
        "smolit.agents.v1.dlq",
        "smolit.answers.v1",
        "smolit.clock.v1",
        "smolit.conversations.v1",
        "smolit.conversations.v1.dlq",
        "smolit.experiments.v1",
        "smolit.experiments.v1.dlq",
        "smolit.knowledge.v1",
        "smolit.knowledge.v1.dlq",
        "smolit.learning.v1",
        "smolit.learning.v1.dlq",
        "smolit.models.v1",
        "smolit.models.v1.dlq",
        "smolit.pieces.v1",
        "smolit.requests.v1",
        "smolit.requests.v1.dlq",
        "smolit.tasks.v1",
        "smolit.tasks.v1.dlq",
    ]


def test_partition_counts_are_pinned() -> None:
    """Another count would send keys elsewhere and break their order."""
    assert {topic.entity: topic.partitions for topic in TOPICS} == {
        "requests": 8,
        "tasks": 8,
        "agents": 1,
        "knowledge": 1,
        "learning": 8,
        "models": 1,
        "experiments": 1,
        "answers": 8,
        "conversations": 8,
        "agents.live": 1,
        "pieces": 1,
        "clock": 1,
    }


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True), st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True))
def test_the_topic_tells_the_tenant(prefix: str, tenant: str) -> None:
    """What a tenant's request topic is called, that tenant is read from it."""
    names = Names(prefix)

    assert names.tenant_of(names.requests_of(tenant)) == tenant


def test_each_tenant_has_a_request_topic_and_its_dead_letters() -> None:
    """One more tenant is two more topics, and nothing else."""
    more = set(Names().all(["default", "acme"])) - set(Names().all(["default"]))

    assert more == {"smolit.requests.acme.v1", "smolit.requests.acme.v1.dlq"}


def test_prefixes_keep_systems_apart() -> None:
    """Two systems on one Kafka share no topic."""
    assert not set(Names("one").all(["default"])) & set(Names("two").all(["default"]))


@pytest.mark.parametrize("topic", FACT_TOPICS, ids=lambda topic: topic.entity)
def test_facts_are_kept_for_ever(topic: object) -> None:
    """No fact topic is compacted or has a limit of age or size."""
    config = Names().all(["default"])[Names().of(topic)].config  # type: ignore[arg-type]

    assert (config["cleanup.policy"], config["retention.ms"], config["retention.bytes"]) == ("delete", "-1", "-1")


def test_pieces_of_answers_are_not_kept() -> None:
    """They go after minutes, a small segment at a time, and no backup or rebuild looks for them."""
    assert (PIECES.config["retention.ms"], PIECES.config["segment.bytes"]) == ("600000", "8388608")
    assert Names().of(PIECES) not in Names().kept(["default"])


def test_only_heartbeats_are_compacted() -> None:
    """What is live now is no history."""
    assert [topic for topic in Names().all(["default"]).values() if topic.cleanup == "compact"] == [AGENTS_LIVE]


def test_every_fact_lies_on_a_fact_topic() -> None:
    """And every fact topic holds at least one."""
    assert {cls.event_type.topic.entity for cls in FACTS} == {topic.entity for topic in FACT_TOPICS}


def test_control_topics_have_one_partition() -> None:
    """Who folds them sees one order per topic."""
    assert {topic.partitions for topic in CONTROL_TOPICS} == {1}


def test_a_dead_letter_has_room_for_its_original() -> None:
    """Base64 adds a third, headers a little; the dead letter of the largest record still fits."""
    assert MAX_DEAD_LETTER_BYTES > MAX_RECORD_BYTES * 4 / 3 + 100_000
    assert max_bytes_of(Names().of(TASKS)) == int(TASKS.config["max.message.bytes"])
    assert max_bytes_of(Names().dead_letters_of(Names().of(REQUESTS))) == MAX_DEAD_LETTER_BYTES
    assert {topic.config["max.message.bytes"] == str(max_bytes_of(name)) for name, topic in Names().all(["a"]).items()} == {True}
