"""The whole system as processes, with more and more history: what a task costs each of them, and both servers.

A stack of its own, as in `bench path`, with texts read as they come; the history is made by the system itself.
"""

import asyncio
import os
import secrets
from collections.abc import Sequence
from functools import partial

import psutil

from bench.calibration import loop_s
from bench.cpu import rss_bytes
from bench.floor import PRODUCER
from bench.growth import MIB, Plan, Point, Say
from bench.path.command import own
from bench.path.crew import Children, pids, running, while_alive
from bench.path.load import closed_loop
from bench.path.phase import Phase, Scene, run_phase
from bench.path.run import servers
from bench.story import FACTS, IN_FLIGHT
from events.topics import Names
from learning.outcomes import Outcomes
from smolit.client import Client, Origin
from smolit.demo.command import DATA, SET
from smolit.demo.stage import refuse_foreign, wait_live
from smolit.folder import claim
from smolit.process.ports import utc_now
from smolit.process.prepare import prepare
from smolit.settings import Settings, load_settings
from smolit.stack import local
from smolit.stack.local import Endpoints
from store.postgres import connect

_STEP = 1_000  # tasks of one stretch while the history grows


def whole(sizes: Sequence[int], plan: Plan, say: Say) -> list[Point]:
    """Grow the history of a system to each size, and measure its processes there."""
    refuse_foreign(load_settings())
    settings = own(load_settings())
    local.down(settings, wipe=True)
    endpoints = local.up(settings, say)
    try:
        claim(settings.data_dir)
        asyncio.run(prepare(settings, endpoints, say))
        with running(settings, settings.data_dir / "notes", None, say) as children:
            return asyncio.run(while_alive(children, _measured(settings, endpoints, children, sizes, plan, say)))
    finally:
        local.down(settings, wipe=True, progress=say)


async def _measured(
    settings: Settings, endpoints: Endpoints, children: Children, sizes: Sequence[int], plan: Plan, say: Say
) -> list[Point]:
    """Ask until there is as much history as wanted, then ask and look what that costs."""
    outcomes, names, tenant = Outcomes.load(DATA, SET), Names(settings.topic_prefix), settings.tenants[0]
    await wait_live(settings, endpoints, outcomes.models)
    points: list[Point] = []
    async with (
        await connect(endpoints.postgres, "bench") as connection,
        Client(endpoints.kafka, Origin(names, tenant, f"smolit/{PRODUCER}"), utc_now, os.urandom) as client,
    ):
        scene = Scene(
            endpoints.kafka, names, tenant, f"bench-{secrets.token_hex(4)}", outcomes, connection, servers(settings.data_dir),
            children, range(psutil.cpu_count() or 1),
        )  # fmt: skip
        stretch, done = partial(_stretch, scene, client), 0
        for size in sizes:
            while (some := min(_STEP, size // FACTS - done)) > 0:
                await stretch(f"{done}", some)
                done += some
            for _ in range(plan.repeats):
                loop, phase = loop_s(), await stretch(f"{done}", plan.tasks)
                done += plan.tasks
                points += _points(size, phase, children, plan, loop)
            say(f"{size} events: {phase.tasks_per_s:.0f} tasks a second")
    return points


async def _stretch(scene: Scene, client: Client, name: str, tasks: int) -> Phase:
    """Do some tasks, so many under way at a time."""
    prompts = scene.outcomes.prompts[:tasks]
    return await run_phase(scene, client, name, lambda asking: closed_loop(asking, prompts, IN_FLIGHT), lambda: 0.0)


def _points(size: int, phase: Phase, children: Children, plan: Plan, loop: float) -> list[Point]:
    """Return what a stretch cost each process, and what all of ours hold in memory."""
    rss = rss_bytes(psutil.Process(pid) for some in pids(children).values() for pid in some) / MIB
    return [
        Point("processes", name, size, round(seconds * 1_000 / plan.tasks, 4), round(rss, 1), loop)
        for name, seconds in phase.spent.by.items()
    ]
