"""Whom the harness may put to sleep, and when somebody has taken over, is asked of the real Kafka and Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from bus.admin import provision
from events.topics import TASKS, Names
from smolit.chaos.takeover import on_duty, taken_over
from smolit.chaos.world import World
from smolit.process.roster import Slot
from store import lease, migrate
from store.postgres import connect
from tests.stacks import Namespace

ONE, TWO = Slot("relay", "1"), Slot("relay", "2")


async def test_only_a_relay_that_holds_shards_is_on_duty(namespace: Namespace) -> None:
    """One that stands by, or whose lease ran out, is not: nothing is taken from it, so it may go on after a sleep."""
    world = World("takeover", namespace.settings)
    migrate.upgrade(namespace.postgres)
    connection = await connect(namespace.postgres, "tests")
    try:
        await lease.open_shards(connection)
        held = await lease.take_free(connection, ONE.identity, 60.0)
        serving = [await on_duty(world, slot) for slot in (ONE, TWO)]
        await lease.release(connection, held)
        afterwards = await on_duty(world, ONE)
    finally:
        await connection.close()

    assert (serving, afterwards) == ([True, False], False)


@asynccontextmanager
async def learner(namespace: Namespace, instance: str) -> AsyncIterator[None]:
    """Be a learner's member of its group, under the name that the product gives it."""
    group = f"{namespace.topic_prefix}-learning"
    member = AIOKafkaConsumer(
        Names(namespace.topic_prefix).of(TASKS),
        bootstrap_servers=namespace.kafka,
        group_id=group,
        group_instance_id=f"{group}-{instance}",
    )
    await member.start()
    try:
        await member.seek_to_end()  # returns once it has joined
        yield
    finally:
        await member.stop()


async def test_a_learner_alone_in_its_group_was_not_taken_over_from(namespace: Namespace) -> None:
    """Who is left must be somebody else: the standby may have lost its own session first."""
    world = World("takeover", namespace.settings)
    await provision(namespace.kafka, {Names(namespace.topic_prefix).of(TASKS): TASKS})

    async with learner(namespace, "1"):
        of_itself = await taken_over(world, Slot("learning", "1"))
        of_another = await taken_over(world, Slot("learning", "2"))

    assert (of_itself, of_another) == (False, True)
