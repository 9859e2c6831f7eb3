"""The scene: one world with its crew, its providers and its clients, ready for work."""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from smolit.chaos.client import Answers, Sender
from smolit.chaos.crew import Crew
from smolit.chaos.gauge import Gauge
from smolit.chaos.history import History
from smolit.chaos.load import AT_ONCE, Load
from smolit.chaos.provider import Providers, providers
from smolit.chaos.script import Job, crew_specs
from smolit.chaos.world import World, new_world
from smolit.process.nurse import Nurse
from smolit.process.ports import utc_now
from smolit.process.roster import slots
from smolit.settings import Settings
from smolit.stack.local import Endpoints

WORKERS = 2
_READY_S = 180.0  # seven processes start on two cores, beside whatever else runs


@dataclass(frozen=True)
class Ground:
    """What all scenes of a run stand on: the harness's stack and the nursery."""

    stack: Settings
    endpoints: Endpoints
    nurse: Nurse


@dataclass(frozen=True)
class Scene:
    """Everything of one world that a storm needs."""

    world: World
    crew: Crew
    providers: Providers
    history: History
    sender: Sender
    load: Load
    gauge: Gauge

    async def still(self, patience_s: float) -> float | None:
        """Wait until nobody has anything left to do; return when that was, or None."""
        return await self.gauge.until_still(patience_s, self.busy)

    def busy(self) -> int:
        """Return how much the clients wait for."""
        return self.sender.open + len(self.load.unanswered)


@asynccontextmanager
async def scene(
    ground: Ground, name: str, script: Iterator[Job], bugs: Mapping[str, str] | None = None, at_once: int = AT_ONCE
) -> AsyncIterator[Scene]:
    """Set a scene: agents are registered and everything is still. `bugs` are planted by process name."""
    seed = random.Random(name).getrandbits(32)  # noqa: S311  # how long providers take
    async with providers(ground.stack.data_dir / "providers" / name, seed) as serving:
        world = await new_world(ground.stack, ground.endpoints, name, serving.hosts)
        history = History(world.folder / "history.jsonl")
        sender, answers, crew = Sender(world, history, utc_now), Answers(world), Crew(ground.nurse, world)
        await sender.start()
        answers.start()
        try:
            crew.start(slots(WORKERS), dict(bugs or {}))
            load = Load(sender, answers, script, at_once)
            await load.enlist(crew_specs(*(f"http://{host}/do" for host in serving.hosts)))
            made = Scene(world, crew, serving, history, sender, load, Gauge(world))
            await made.still(_READY_S)
            yield made
        finally:
            await crew.close()
            await answers.stop()
            await sender.stop()
