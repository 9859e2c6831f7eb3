"""The fixtures that give each test its own part of the local stack."""

import asyncio

import psycopg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.said import PATIENCE_S
from tests.stacks import Namespace


async def test_a_namespace_has_topics_and_an_empty_database(namespace: Namespace) -> None:
    """A test can create a topic under its prefix and finds no table in its database."""
    admin = AIOKafkaAdminClient(bootstrap_servers=namespace.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(f"{namespace.topic_prefix}.tasks.v1", 8, 1)])
    async with asyncio.timeout(PATIENCE_S):  # a busy broker tells of a new topic a little later
        while f"{namespace.topic_prefix}.tasks.v1" not in (topics := await admin.list_topics()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await admin.close()
    with psycopg.connect(namespace.postgres) as connection:
        tables = connection.execute("select count(*) from pg_stat_user_tables").fetchone()

    assert f"{namespace.topic_prefix}.tasks.v1" in topics
    assert tables == (0,)


def test_vector_search_is_available(namespace: Namespace) -> None:
    """The local Postgres has pgvector."""
    with psycopg.connect(namespace.postgres) as connection:
        connection.execute("create extension vector")
        distance = connection.execute("select '[1,0]'::vector <-> '[1,3]'::vector").fetchone()

    assert distance == (3.0,)
