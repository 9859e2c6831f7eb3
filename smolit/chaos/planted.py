"""The checker is checked: every planted bug must be found, or nothing else that the harness says counts."""

import asyncio
import signal
from collections.abc import Callable, Sequence

from msgspec import Struct

from smolit.chaos.bug import Bug
from smolit.chaos.check.finding import Finding
from smolit.chaos.check.verdict import judge
from smolit.chaos.scene import Ground, Scene, scene
from smolit.chaos.script import jobs

MOST_KILLS = 8
_AT_ONCE = 3  # worlds side by side: one or two wait, for leases and sessions to run out, while another works
_PACE_S = 0.05
_WAITING = 1_000  # a bug that loses tasks must not stop the flow of others
_AFTER_S = 1.0  # work goes on after a kill: what was lost shows when somebody passes it
_JOBS = 16
_AT_POINT_S = 6.0
_STUCK_S = 10.0  # twice what a lease or a session takes to run out


class Caught(Struct, frozen=True):
    """How one planted bug fared: kills until it was found (None: it was not), and by which checks."""

    bug: str
    says: str
    kills: int | None
    checks: tuple[str, ...]
    first: str = ""


async def check_the_checker(
    ground: Ground, bugs: Sequence[Bug], seed: int, patience_s: float, told: Callable[[str], None]
) -> list[Caught]:
    """Plant every bug in a world of its own, and return how each fared."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(bug: Bug) -> Caught:
        async with gate:
            caught = await _plant(ground, bug, seed, patience_s)
        told(f"{bug.name}: {'not caught' if caught.kills is None else f'caught after {caught.kills} kills'}")
        return caught

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(bug)) for bug in bugs]
    return [task.result() for task in tasks]


async def _plant(ground: Ground, bug: Bug, seed: int, patience_s: float) -> Caught:
    """Let work flow over one bug, kill after kill, until the checks find something."""
    name = bug.name.replace("_", "")
    async with scene(ground, name, jobs(seed, "planted", bug.shares), {bug.process: bug.name}, _WAITING) as set_up:
        for kills in range(MOST_KILLS + 1):
            if findings := await _try(set_up, bug, kills, patience_s):
                checks = tuple(sorted({finding.check for finding in findings}))
                return Caught(bug.name, bug.says, kills, checks, f"{findings[0].what}: {findings[0].cases[0]}")
    return Caught(bug.name, bug.says, None, ())


async def _try(scene: Scene, bug: Bug, kills: int, patience_s: float) -> Sequence[Finding]:
    """Let some work flow, with one more kill unless it is the first time, and return what is wrong afterwards.

    A world that does not come to rest is judged by what is wrong all the same: slowness alone proves nothing.
    """
    stopped = asyncio.Event()
    flow = asyncio.create_task(scene.load.flow(stopped, _PACE_S, _JOBS))
    try:
        if kills:
            await _kill(scene, bug)
            await asyncio.sleep(_AFTER_S)
        stopped.set()
        still = await scene.gauge.until_still(patience_s, scene.busy, _STUCK_S)
    finally:
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)
    return (await judge(scene.world, scene.history, scene.providers, settled=still is not None)).findings


async def _kill(scene: Scene, bug: Bug) -> None:
    """Kill the process that brings the bug out, at its point if it comes to it."""
    slot = next(slot for slot in scene.crew.slots if slot.name == bug.victim)
    await scene.crew.until_alive(slot, patience_s=20.0)
    if await scene.crew.blow_up(slot, bug.fuse, _AT_POINT_S) is None:
        scene.crew.send(slot, signal.SIGKILL)
