"""A look at the cluster: which topics there are, how many partitions they have, and which log is behind the name.

A topic that is deleted and made anew keeps its name but not its id (a UUID), so whoever remembers the id with its
positions notices, however many records the new log has.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from bus.address import options, security_of
from bus.errors import KafkaRefused, KafkaUnreachable, LogChanged
from bus.metadata import TopicsRequest

PATIENCE_S = 5.0  # for a first answer; whoever starts us tries again


class TopicSeen(Struct, frozen=True):
    """One topic as the broker has it; `log` is the id that a topic made anew does not share."""

    log: str
    partitions: int


@asynccontextmanager
async def client(kafka: str) -> AsyncIterator[AIOKafkaClient]:
    """Yield a connected client.

    Raises:
        KafkaUnreachable: nobody answers within `PATIENCE_S`.
    """
    found = AIOKafkaClient(**options(kafka), request_timeout_ms=int(PATIENCE_S * 1000))
    try:
        await found.bootstrap()
        yield found
    except KafkaError as error:
        raise unreachable(kafka, error) from error
    finally:
        await found.close()


async def look(kafka: str) -> dict[str, TopicSeen]:
    """Return every topic of the cluster by name.

    Raises:
        KafkaUnreachable: nobody answers.
        KafkaRefused: the broker is older than Kafka 3.0 and knows no topic ids.
    """
    async with client(kafka) as found:
        try:
            response = await found.send(found.get_random_node(), TopicsRequest())
        except NotImplementedError as error:
            raise KafkaRefused(f"Kafka at {kafka} is too old: it tells no topic ids") from error
    topics = response.to_object()["topics"]
    return {topic["name"]: TopicSeen(str(topic["topic_id"]), len(topic["partitions"])) for topic in topics}


def assert_same_logs(remembered: Mapping[str, str], present: Mapping[str, TopicSeen]) -> None:
    """Compare the logs that positions were taken from with those that are there.

    Raises:
        LogChanged: a topic was made anew, or is gone.
    """
    for name, log in sorted(remembered.items()):
        if name not in present:
            raise LogChanged(f"topic {name} is gone, but we have positions in it")
        if present[name].log != log:
            raise LogChanged(f"topic {name} was deleted and made anew: our positions are from another log")


def unreachable(kafka: str, error: Exception) -> KafkaUnreachable:
    """Return the error for a Kafka that does not answer."""
    if (security := security_of(kafka)).protocol != "PLAINTEXT":
        told = f"no Kafka at {kafka} lets us in by {security.protocol} ({type(error).__name__})"
        return KafkaUnreachable(f"{told}; check user, password and certificate (SMOLIT_KAFKA_*)")
    return KafkaUnreachable(f"no Kafka answers at {kafka} ({type(error).__name__}); start one with `smolit up`")
