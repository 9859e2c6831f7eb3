"""Taking generations away: one that is being built and no longer wanted, or one that serves no more."""

from projections.alone import LOCK_MS, alone, patiently
from projections.errors import RebuildRefused
from projections.generation import remove
from store import generation
from store.generation import Generation, State
from store.postgres import Connection


async def discard(dsn: str) -> str:
    """Drop the generation that is being built, and return its name.

    Raises:
        RebuildRefused: there is none, or its rebuild is under way.
    """
    async with alone(dsn) as connection:
        building = await generation.in_state(connection, "building")
        if building is None:
            raise RebuildRefused("no generation is being built")
        await patiently(lambda: _removed(connection, building, "building"))
        return building.name


async def drop(dsn: str, name: str) -> None:
    """Drop a generation that served once, or was kept.

    Raises:
        RebuildRefused: it serves, is being built, or is not there.
    """
    async with alone(dsn) as connection:
        one = await droppable(connection, name)
        await patiently(lambda: _removed(connection, one, one.state))


async def droppable(connection: Connection, name: str) -> Generation:
    """Return a generation that may be dropped; raises RebuildRefused."""
    there = {one.name: one for one in await generation.generations(connection)}
    one = there.get(name)
    if one is None:
        raise RebuildRefused(f"there is no generation {name}; there are {', '.join(there)}")
    if one.state == "serving":
        raise RebuildRefused(f"{name} serves; another one must serve before it can be dropped")
    if one.state == "building":
        raise RebuildRefused(f"{name} is being built; `smolit projection rebuild --discard` gives it up")
    return one


async def _removed(connection: Connection, one: Generation, state: State) -> None:
    """Remove a generation in one transaction."""
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = {LOCK_MS}")
        if await generation.hold(connection, one.name) != state:
            raise RebuildRefused(f"{one.name} is no longer {state}")
        await remove(connection, one)
