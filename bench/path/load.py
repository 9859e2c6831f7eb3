"""Two ways to ask: always so many under way (how much can it do?), or at given moments (how long does one wait?)."""

import asyncio
import random
from collections.abc import Sequence

from learning.outcomes import Prompt
from smolit.demo.drive import Asking, ask


async def closed_loop(asking: Asking, prompts: Sequence[Prompt], in_flight: int) -> None:
    """Keep so many questions under way until all were asked and judged."""
    waiting = iter(prompts)

    async def one_after_another() -> None:
        for prompt in waiting:
            await ask(asking, prompt)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_another())


async def open_loop(asking: Asking, prompts: Sequence[Prompt], rate: float, chance: random.Random) -> None:
    """Ask at random moments, `rate` a second on average, whatever became of the questions before (a Poisson process)."""
    due = asking.monotonic()
    async with asyncio.TaskGroup() as group:
        for prompt in prompts:
            due += chance.expovariate(rate)
            await asyncio.sleep(max(0.0, due - asking.monotonic()))
            group.create_task(ask(asking, prompt))
