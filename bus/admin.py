"""Topics: made from `events/topics.py`, and asserted at every start."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bus.address import options
from bus.cluster import PATIENCE_S, look, unreachable
from bus.errors import WrongTopics
from events.topics import Topic

_POLL_S = 0.02

Configs = Mapping[str, Mapping[str, str]]


@asynccontextmanager
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client.

    Raises:
        KafkaUnreachable: nobody answers, now or in the middle of the work.
    """
    client = AIOKafkaAdminClient(**options(kafka), request_timeout_ms=int(PATIENCE_S * 1000))
    try:
        await client.start()
        yield client
    except (KafkaError, TimeoutError) as error:
        raise unreachable(kafka, error) from error
    finally:
        await client.close()


async def provision(kafka: str, topics: Mapping[str, Topic], replication: int = 1) -> list[str]:
    """Create the topics that are missing and return their names; those that are there stay as they are.

    Raises:
        WrongTopics: Kafka refused to make one; the message says why.
        KafkaUnreachable: nobody answers.
    """
    async with admin(kafka) as client:
        missing = sorted(set(topics) - set(await client.list_topics()))
        wanted = [NewTopic(name, topics[name].partitions, replication, topic_configs=topics[name].config) for name in missing]
        response = await client.create_topics(wanted) if wanted else None
    for name, code, why in response.topic_errors if response else ():
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise WrongTopics(f"topic {name} could not be made: {why or for_code(code).__name__}")
    await _await_visible(kafka, set(missing))
    return missing


async def _await_visible(kafka: str, made: set[str]) -> None:
    """Wait until the broker knows what the controller has made: it learns of it a moment later."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while made - set(await look(kafka)):  # noqa: ASYNC110  # the broker sets no event of ours
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise WrongTopics(f"topics were made, but Kafka does not show them: {', '.join(sorted(made))}") from error


async def assert_topics(kafka: str, topics: Mapping[str, Topic]) -> None:
    """Compare partitions and settings of every topic with what is written down.

    Raises:
        WrongTopics: one sentence that names all that differs.
        KafkaUnreachable: nobody answers.
    """
    present = await look(kafka)
    if missing := sorted(set(topics) - set(present)):
        raise WrongTopics(f"topics are missing: {', '.join(missing)}; make them with `smolit up`")
    async with admin(kafka) as client:
        configs = await _configs(client, topics)
    if differences := differing(topics, {name: seen.partitions for name, seen in present.items()}, configs):
        raise WrongTopics(f"topics differ from events/topics.py: {'; '.join(differences)}")


def differing(topics: Mapping[str, Topic], partitions: Mapping[str, int], configs: Configs) -> list[str]:
    """Return what is not as written down, each in a few words."""
    counts = [
        f"{name} has {partitions[name]} partitions, not {topic.partitions}"
        for name, topic in topics.items()
        if partitions[name] != topic.partitions
    ]
    settings = [
        f"{name} has {setting}={configs[name].get(setting)}, not {wanted}"
        for name, topic in topics.items()
        for setting, wanted in topic.config.items()
        if configs[name].get(setting) != wanted
    ]
    return counts + settings


async def _configs(client: AIOKafkaAdminClient, topics: Mapping[str, Topic]) -> dict[str, dict[str, str]]:
    """Return the settings of each topic as the broker has them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(topics)]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(asked):
        for _code, _message, _kind, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
