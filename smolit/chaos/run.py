"""One run: the stack, the storm over the main world, the verdict, and the planted bugs."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smolit.chaos.bug import Bug
from smolit.chaos.check.digest import unlike_a_replay
from smolit.chaos.check.finding import Finding
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


async def run(ground: Ground, asked: Asked, told: Told) -> Report:
    """Deal the kills, judge, and check the checker."""
    began = time.monotonic()
    async with scene(ground, "main", jobs(asked.seed, "main")) as main:
        storm = Storm(main, ground.stack, PATIENCE_S, told)
        verdict = await _weather(ground, main, storm, asked, told)
        starts = sum(main.crew.starts(slot) for slot in main.crew.slots)
    bugs: list[Caught] = []
    if asked.bugs:
        told(f"planting {len(asked.bugs)} bugs")
        bugs = await check_the_checker(ground, asked.bugs, asked.seed, PLANTED_PATIENCE_S, told)
    done = Run(
        seed=asked.seed,
        commit=_commit(),
        options={"kills": asked.kills, "seed": asked.seed, "planted": bool(asked.bugs)},
        seconds=time.monotonic() - began,
        tasks=main.load.jobs,
        starts=starts,
        struck=storm.weather.struck,
        slept=storm.weather.slept,
    )
    return report(done, verdict, bugs)


async def _weather(ground: Ground, main: Scene, storm: Storm, asked: Asked, told: Told) -> Verdict:
    """Let the storm pass, let people say what they kept for later, and judge."""
    settled = await storm.rounds(course(asked.kills, asked.seed))
    if settled:
        await main.load.say_late()
        await main.load.overdo()
        settled = await storm.settle("after the storm") is not None
    told("checking")
    verdict = await judge(main.world, main.history, main.providers, settled)
    replayed: list[Finding] = []
    if settled:
        database = new_database(ground.endpoints, "chaos_replay")
        replayed = await unlike_a_replay(ground.nurse, main.world, database, PATIENCE_S)
    return Verdict((*storm.weather.findings, *verdict.findings, *replayed), verdict.looked_at)


def _commit() -> str | None:
    """Return the commit that is checked out, if this is a clone."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
