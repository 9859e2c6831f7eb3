"""What must be there before the processes start: topics, tables, the encoder, and the agents that come with smolit."""

import asyncio
from collections.abc import Callable

from bus import admin
from events.topics import Names
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from store import migrate

Progress = Callable[[str], None]


async def prepare(settings: Settings, endpoints: Endpoints, progress: Progress) -> None:
    """Make what is missing and check what is there; done twice, it changes nothing.

    Raises:
        WrongTopics: a topic differs from `events/topics.py`.
        KafkaUnreachable, PostgresUnreachable: nobody answers.
    """
    topics = Names(settings.topic_prefix).all(settings.tenants)
    made = await admin.provision(endpoints.kafka, topics)
    await admin.assert_topics(endpoints.kafka, topics)
    progress(f"{len(topics)} topics as written down, {len(made)} of them new")
    await asyncio.to_thread(migrate.upgrade, endpoints.postgres)
    progress(f"schema at {migrate.head()}")
