"""Has somebody else taken over from a process that stands still? Asked of Postgres and of the group, not of the process."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from psycopg import AsyncConnection, OperationalError

from smolit.chaos.world import World
from smolit.process.roster import Slot

_SHARDS = "select count(*) from ops.relay_lease where owner = %s"
_ATTEMPTS = "select count(*) from ops.work_attempt where worker = %s and state = 'running'"
_MEMBERS = 5  # where a described group has its members, behind error, name, state and protocols


async def taken_over(world: World, slot: Slot) -> bool:
    """Return whether nothing belongs to this worker, relay or learner any more."""
    try:
        if slot.name == "learning":
            return await _members(world, f"{world.settings.topic_prefix}-{slot.name}") == 1
        return await _held(world, _SHARDS if slot.name == "relay" else _ATTEMPTS, slot.identity) == 0
    except (KafkaError, OperationalError, OSError):
        return False


async def stands_by(world: World) -> bool:
    """Return whether a second learner has joined the group of the first."""
    try:
        return await _members(world, f"{world.settings.topic_prefix}-learning") > 1
    except (KafkaError, OSError):
        return False


async def _held(world: World, query: str, owner: str) -> int:
    """Return how many rows somebody holds."""
    async with await AsyncConnection.connect(world.postgres, autocommit=True) as connection:
        row = await (await connection.execute(query.encode(), (owner,))).fetchone()
    return int(row[0]) if row else 0


async def _members(world: World, group: str) -> int:
    """Return how many members a group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    try:
        await admin.start()
        described = await admin.describe_consumer_groups([group])
        return len(described[0].groups[0][_MEMBERS])
    finally:
        await admin.close()
