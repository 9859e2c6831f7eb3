"""Who does what others could take over, and have they? Takeovers are asked of Postgres and of the group, not of the process."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from psycopg import AsyncConnection, OperationalError

from smolit.chaos.world import World
from smolit.process import record
from smolit.process.census import ready
from smolit.process.roster import Slot

_SHARDS = "select count(*) from ops.relay_lease where owner = %s"
_LEASES = "select count(*) from ops.relay_lease where owner = %s and lease_until > now()"
_ATTEMPTS = "select count(*) from ops.work_attempt where worker = %s and state = 'running'"
_GROUPS = ("learning", "intake")  # streams that have a stand-in
_MEMBERS = 5  # where a described group has its members, behind error, name, state and protocols


async def on_duty(world: World, slot: Slot) -> bool:
    """Return whether a process does what others could take over: a relay holds shards, any other is ready.

    One that stands by, or is only starting, may go on after a sleep: nothing was taken from it.
    """
    if slot.name != "relay":
        return await asyncio.to_thread(_is_ready, world, slot)
    try:
        return await _held(world, _LEASES, slot.identity) > 0
    except (OperationalError, OSError):
        return False


async def taken_over(world: World, slot: Slot) -> bool:
    """Return whether nothing belongs to this worker, relay or stream any more."""
    try:
        if slot.name in _GROUPS:
            group = _group(world, slot.name)
            members = await _members(world, group)
            return bool(members) and not any(member.startswith(f"{group}-{slot.instance}-") for member in members)
        return await _held(world, _SHARDS if slot.name == "relay" else _ATTEMPTS, slot.identity) == 0
    except (KafkaError, OperationalError, OSError):
        return False


async def stands_by(world: World) -> bool:
    """Return whether a second member has joined each group that has a stand-in."""
    try:
        return all([len(await _members(world, _group(world, name))) > 1 for name in _GROUPS])
    except (KafkaError, OSError):
        return False


def _is_ready(world: World, slot: Slot) -> bool:
    """Ask a process itself, if it runs."""
    written = record.read(world.settings.data_dir, slot.name, slot.instance)
    return written is not None and record.live(written) is not None and ready(written.port)


def _group(world: World, name: str) -> str:
    """Return the group of a stream."""
    return f"{world.settings.topic_prefix}-{name}"


async def _held(world: World, query: str, owner: str) -> int:
    """Return how many rows somebody holds."""
    async with await AsyncConnection.connect(world.postgres, autocommit=True) as connection:
        row = await (await connection.execute(query.encode(), (owner,))).fetchone()
    return int(row[0]) if row else 0


async def _members(world: World, group: str) -> list[str]:
    """Return the ids of a group's members; one with a name of its own (`group-instance`) has that in front."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    try:
        await admin.start()
        described = await admin.describe_consumer_groups([group])
        return [member[0] for member in described[0].groups[0][_MEMBERS]]
    finally:
        await admin.close()
