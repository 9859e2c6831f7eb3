"""Topics on a real Kafka: made as written down, and refused when they are not."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from bus.admin import admin, assert_topics, provision
from bus.cluster import assert_same_logs, look
from bus.errors import LogChanged, WrongTopics
from events.topics import AGENTS, AGENTS_LIVE, TASKS, Names, Topic
from tests.integration import bus_kit as kit


@pytest.fixture
async def written(kafka: str) -> AsyncIterator[dict[str, Topic]]:
    """Three topics as written down, which are not there yet."""
    topics = {kit.name(): topic for topic in (TASKS, AGENTS, AGENTS_LIVE)}
    yield topics
    await kit.delete(kafka, *topics)


async def alter(kafka: str, topic: str, **settings: str) -> None:
    """Change settings of a topic behind our back."""
    async with admin(kafka) as client:
        configs = {name.replace("_", "."): setting for name, setting in settings.items()}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])


async def is_refused(kafka: str, topics: dict[str, Topic], said: str) -> bool:
    """Return whether the topics are refused with these words; the broker learns of a change a moment later."""
    try:
        await assert_topics(kafka, topics)
    except WrongTopics as refused:
        return said in str(refused)
    return False


async def test_topics_are_made_as_written_down(kafka: str, written: dict[str, Topic]) -> None:
    """What provision made passes the assertion, and it says what it made."""
    made = await provision(kafka, written)

    assert made == sorted(written)
    await assert_topics(kafka, written)


async def test_provision_twice_makes_nothing_more(kafka: str, written: dict[str, Topic]) -> None:
    """A second start finds everything there and touches nothing."""
    await provision(kafka, written)
    before = await look(kafka)

    assert await provision(kafka, written) == []
    assert {name: (await look(kafka))[name] for name in written} == {name: before[name] for name in written}


async def test_every_topic_of_the_house_can_be_made(kafka: str) -> None:
    """The whole list, for two tenants, is accepted by the broker as it stands."""
    topics = Names(f"t{kit.name()[4:10]}").all(["default", "acme"])
    try:
        await provision(kafka, topics)

        await assert_topics(kafka, topics)
    finally:
        await kit.delete(kafka, *topics)


async def test_a_missing_topic_is_refused_by_name(kafka: str, written: dict[str, Topic]) -> None:
    """All missing topics stand in one sentence, with what to do about it."""
    with pytest.raises(WrongTopics, match=r"^topics are missing: .*; make them with `smolit up`$") as refused:
        await assert_topics(kafka, written)

    assert all(name in str(refused.value) for name in written)


async def test_another_partition_count_is_refused(kafka: str, written: dict[str, Topic]) -> None:
    """A partition more breaks the order of keys, so nothing starts on it."""
    await provision(kafka, written)
    tasks = next(iter(written))
    async with admin(kafka) as client:
        await client.create_partitions({tasks: NewPartitions(TASKS.partitions + 1)})

    await kit.until(lambda: is_refused(kafka, written, f"{tasks} has 9 partitions, not 8"))


@pytest.mark.parametrize(
    ("setting", "changed"), [("cleanup_policy", "compact"), ("retention_ms", "1000"), ("retention_bytes", "1000000")]
)
async def test_a_log_that_would_forget_is_refused(kafka: str, written: dict[str, Topic], setting: str, changed: str) -> None:
    """A fact topic that is compacted or has a retention limit would lose facts."""
    await provision(kafka, written)
    tasks = next(iter(written))
    await alter(kafka, tasks, **{setting: changed})

    await kit.until(lambda: is_refused(kafka, written, f"{tasks} has {setting.replace('_', '.')}={changed}, not "))


async def test_all_differences_stand_in_one_sentence(kafka: str, written: dict[str, Topic]) -> None:
    """Whoever repairs the topics sees everything at once."""
    await provision(kafka, written)
    wanted = {name: replace(topic, partitions=topic.partitions + 1) for name, topic in written.items()}

    with pytest.raises(WrongTopics) as refused:
        await assert_topics(kafka, wanted)

    assert str(refused.value).count(" partitions, not ") == len(written)
    assert "\n" not in str(refused.value)


async def test_a_topic_that_kafka_refuses_is_named(kafka: str) -> None:
    """The broker's own reason reaches the person who starts us."""
    with pytest.raises(WrongTopics, match=r"^topic not/a/name could not be made: .*not/a/name"):
        await provision(kafka, {"not/a/name": AGENTS})


async def test_a_topic_made_anew_has_another_log(kafka: str) -> None:
    """The id tells a new log from the old one, whatever is in them; a log that stays is the same."""
    async with kit.a_topic(kafka) as topic:
        remembered = {topic: (await look(kafka))[topic].log}
        assert_same_logs(remembered, await look(kafka))

        await kit.delete(kafka, topic)
        with pytest.raises(LogChanged, match=f"topic {topic} is gone"):
            assert_same_logs(remembered, await look(kafka))

        await kit.create(kafka, topic)
        with pytest.raises(LogChanged, match=f"topic {topic} was deleted and made anew"):
            assert_same_logs(remembered, await look(kafka))
