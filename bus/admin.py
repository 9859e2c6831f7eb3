"""Topics: made from `events/topics.py`, and asserted at every start."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bus.errors import KafkaUnreachable, WrongTopics
from events.topics import Topic


@asynccontextmanager
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client.

    Raises:
        KafkaUnreachable: nobody answers.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=10_000)
    try:
        await client.start()
    except KafkaError as error:
        await client.close()
        raise KafkaUnreachable(f"no Kafka answers at {kafka}; start one with `smolit up`") from error
    try:
        yield client
    finally:
        await client.close()


async def provision(kafka: str, topics: Mapping[str, Topic], replication: int = 1) -> list[str]:
    """Create the topics that are missing and return their names; those that are there stay as they are."""
    async with admin(kafka) as client:
        missing = sorted(set(topics) - set(await client.list_topics()))
        wanted = [
            NewTopic(name, topics[name].partitions, replication, topic_configs=topics[name].config) for name in missing
        ]
        response = await client.create_topics(wanted) if wanted else None
    for name, code, *_ in response.topic_errors if response else ():
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise WrongTopics(f"topic {name} could not be made: {for_code(code).__name__}")
    return missing


async def assert_topics(kafka: str, topics: Mapping[str, Topic]) -> None:
    """Compare partitions and settings of every topic with what is written down.

    Raises:
        WrongTopics: one sentence that names all that differs.
    """
    async with admin(kafka) as client:
        present = set(await client.list_topics())
        missing = sorted(set(topics) - present)
        if missing:
            raise WrongTopics(f"topics are missing: {', '.join(missing)}; make them with `smolit up`")
        partitions = {row["topic"]: len(row["partitions"]) for row in await client.describe_topics(sorted(topics))}
        configs = await _configs(client, topics)
    differences = [
        *(
            f"{name} has {partitions[name]} partitions, not {topic.partitions}"
            for name, topic in topics.items()
            if partitions[name] != topic.partitions
        ),
        *(
            f"{name} has {setting}={configs[name].get(setting)}, not {wanted}"
            for name, topic in topics.items()
            for setting, wanted in topic.config.items()
            if configs[name].get(setting) != wanted
        ),
    ]
    if differences:
        raise WrongTopics(f"topics differ from events/topics.py: {'; '.join(differences)}")


async def _configs(client: AIOKafkaAdminClient, topics: Mapping[str, Topic]) -> dict[str, dict[str, str]]:
    """Return the settings of each topic as the broker has them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(topics)]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(asked):
        for _code, _message, _kind, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
