"""One run: the stack, the storm over the main world, the verdict, and the planted bugs."""

import asyncio
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from smolit.chaos.bug import Bug
from smolit.chaos.check.digest import unlike_a_replay
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.check.verdict import Verdict, judge
from smolit.chaos.course import course
from smolit.chaos.planted import Caught, check_the_checker
from smolit.chaos.report import Report, Run, report
from smolit.chaos.scene import Ground, Scene, scene
from smolit.chaos.script import jobs
from smolit.chaos.storm import Storm
from smolit.chaos.world import new_database
from smolit.settings import PROJECT

PATIENCE_S = 120.0  # for lag 0 after a round: bounded, and generous to a machine that does other things as well
PLANTED_PATIENCE_S = 60.0
Told = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What a run is to do."""

    kills: int
    seed: int
    bugs: Sequence[Bug]


class Stopwatch:
    """How long each phase took, in seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer, self._since = timer, timer()
        self.laps: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """End a phase."""
        now = self._timer()
        self.laps[phase], self._since = now - self._since, now


async def run(ground: Ground, asked: Asked, told: Told) -> Report:
    """Deal the kills; then judge, and check the checker meanwhile."""
    clock = Stopwatch(time.monotonic)
    async with scene(ground, "main", jobs(asked.seed, "main")) as main:
        storm = Storm(main, ground.stack, PATIENCE_S, told)
        clock.lap("start")
        settled = await _weather(main, storm, asked)
        clock.lap("storm")
        async with _planted(ground, asked, told) as planting:
            told("checking")
            verdict = await _verdict(ground, main, storm, settled)
            starts = sum(main.crew.starts(slot) for slot in main.crew.slots)
            ends = Counter(f"{slot.name} {status}" for slot, status in main.crew.ended)
            await main.crew.close()  # nobody asks these processes any more, and others could use the processor
            clock.lap("checks")
            bugs = await planting
    clock.lap("planted")
    done = Run(
        seed=asked.seed,
        commit=_commit(),
        options={"kills": asked.kills, "seed": asked.seed, "planted": bool(asked.bugs)},
        seconds=clock.laps,
        tasks=main.load.jobs,
        starts=starts,
        ends=dict(sorted(ends.items())),
        struck=storm.weather.struck,
        slept=storm.weather.slept,
    )
    return report(done, verdict, bugs)


@asynccontextmanager
async def _planted(ground: Ground, asked: Asked, told: Told) -> AsyncIterator[asyncio.Task[list[Caught]]]:
    """Plant the bugs beside what the body does, as no server is killed any more; if that fails, no world is left behind."""
    if asked.bugs:
        told(f"planting {len(asked.bugs)} bugs")
    planting = asyncio.create_task(check_the_checker(ground, asked.bugs, asked.seed, PLANTED_PATIENCE_S, told))
    try:
        yield planting
    finally:
        planting.cancel()  # of no effect on one that is done
        await asyncio.gather(planting, return_exceptions=True)


async def _weather(main: Scene, storm: Storm, asked: Asked) -> bool:
    """Let the storm pass, and let people say what they kept for later; return whether all is still."""
    if not await storm.rounds(course(asked.kills, asked.seed)):
        return False
    await main.load.say_late()
    await main.load.overdo()
    return await storm.settle("after the storm") is not None


async def _verdict(ground: Ground, main: Scene, storm: Storm, settled: bool) -> Verdict:
    """Judge, and replay from zero beside what is live."""
    verdict = await judge(main.world, main.history, main.providers, settled)
    replayed: list[Finding] = []
    if settled:
        database = new_database(ground.endpoints, "chaos_replay")
        replayed = await unlike_a_replay(ground.nurse, main.world, database, PATIENCE_S)
    crashes = [
        f"{slot.identity}: signal {-status}" for slot, status in main.crew.ended if status < 0 and -status != signal.SIGKILL
    ]
    crashed = found("crash", "a process was ended by a signal that nobody sent", crashes)
    return Verdict((*storm.weather.findings, *verdict.findings, *replayed, *crashed), verdict.looked_at)


def _commit() -> str | None:
    """Return the commit that is checked out, if this is a clone."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
