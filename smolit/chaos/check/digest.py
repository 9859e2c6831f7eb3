"""C7: the read models, byte for byte: live, folded naively from Kafka, and replayed from zero by a process that is killed."""

import asyncio
import time

from projections.verify import Live, read_live, verify
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.crew import Crew
from smolit.chaos.plan import Fuse
from smolit.chaos.world import World
from smolit.process.nurse import Nurse
from smolit.process.roster import Slot
from store.postgres import connect

REPLAYER = Slot("projections", "replay")
_FUSES = (Fuse("commit.before"), Fuse("commit.after"))
_FALL_S = 30.0
_POLL_S = 0.1


async def unlike_a_fold(world: World) -> list[Finding]:
    """Compare the live read models with the naive fold of Kafka."""
    verification = await verify(world.kafka, world.postgres, world.names)
    different = [f"{model.name}: {model.difference}" for model in verification.models if not model.equal]
    return found("C7", "a read model is not the fold of the log", different)


async def unlike_a_replay(nurse: Nurse, world: World, database: str, patience_s: float) -> list[Finding]:
    """Compare the live read models with those that a process, killed on the way, makes from zero in another database."""
    crew = Crew(nurse, world, {"SMOLIT_POSTGRES": database})
    crew.start([REPLAYER])
    try:
        for fuse in _FUSES:
            crew.arm(REPLAYER, fuse)
            await crew.until_gone(REPLAYER, _FALL_S)
        live, replayed = await _both(world.postgres, database, patience_s)
    finally:
        await crew.close()
    different = [name for name, lines in live.tables.items() if replayed.tables[name] != lines]
    return [
        *found("C7", "a replay does not reach the live positions", [] if replayed.positions == live.positions else ["replay"]),
        *found("C7", "a read model is not what a replay makes of it", different),
    ]


async def _both(database: str, copy: str, patience_s: float) -> tuple[Live, Live]:
    """Wait until the replay stands where the live read models do, and return both."""
    end = time.monotonic() + patience_s
    while True:
        live, replayed = await _read(database), await _read(copy)
        if replayed.positions == live.positions or time.monotonic() > end:
            return live, replayed
        await asyncio.sleep(_POLL_S)


async def _read(database: str) -> Live:
    connection = await connect(database, "chaos-check")
    try:
        return await read_live(connection)
    finally:
        await connection.close()
