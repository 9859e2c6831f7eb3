"""What time a broker has: it stamps each record of one topic with its own clock when it appends it."""

import asyncio
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bus.address import options
from bus.cluster import PATIENCE_S, look, unreachable
from bus.errors import WrongTopics


async def broker_time(kafka: str, topic: str) -> datetime:
    """Return the clock of the broker that leads a topic whose timestamps are the broker's; appends one empty record.

    Raises:
        KafkaUnreachable: nobody answers.
        WrongTopics: the topic is missing.
    """
    if topic not in await look(kafka):  # which has a limit; a producer waits for its first broker without end
        raise WrongTopics(f"topics are missing: {topic}; make them with `smolit up`")
    producer = AIOKafkaProducer(**options(kafka), acks="all", request_timeout_ms=int(PATIENCE_S * 1000))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await producer.start()
            appended = await producer.send_and_wait(topic, b"")
    except (KafkaError, TimeoutError) as error:
        raise unreachable(kafka, error) from error
    finally:
        await producer.stop()
    return datetime.fromtimestamp(appended.timestamp / 1000, UTC)
