"""Attempts that run away with memory, in real worker processes: they fail by name, and nothing else is lost."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from events.task import AttemptEnded
from tests.integration.hands_kit import Floor, asked, chose, task_id
from tests.integration.hands_worker import OUT_OF_MEMORY
from tests.integration.test_work_processes import orders, queue, rounds_of, shop, until, worker
from tests.said import PATIENCE_S
from tests.stacks import Namespace

ENDED = "select count(*) from ops.work_attempt where state in ('completed', 'failed', 'timed_out', 'abandoned')"


async def eater(hall: Floor, number: int, **settings: Any) -> None:
    """Queue an attempt that eats."""
    await hall.agent("eater", pipeline="eater", settings=settings, timeout_s=100)
    await hall.tell(asked(number), chose(number, agent="eater"))


async def end_of(hall: Floor, number: int) -> AttemptEnded:
    """Return how an attempt ended."""
    return next(fact for fact in await hall.sent(AttemptEnded) if fact.task_id == task_id(number))


async def gone(process: Any) -> int:
    """Wait until a process has ended, and return its exit code."""
    return int(await asyncio.to_thread(process.wait, PATIENCE_S))


@pytest.mark.parametrize("where", ["thread", "loop"])
async def test_a_runaway_fails_and_the_rest_goes_to_others(namespace: Namespace, where: str) -> None:
    """The attempt ends as out of memory, the process ends at once, and what it held beside is done without waiting for leases."""
    async with shop(namespace) as hall:
        await queue(hall, 1, 10**7)
        first = replace(orders(namespace, "w1", lease_s=60.0), memory_mb=80)
        with worker(first) as process:
            await until(hall, "select count(*) from ops.work_attempt where state = 'running'", 1)
            await eater(hall, 1, mb=100_000, where=where)

            code = await gone(process)

        ended = await end_of(hall, 1)
        rest = await hall.value("select state from ops.work_attempt where task_id = %s", task_id(0))

    assert code == OUT_OF_MEMORY
    assert ended.outcome == "failed"
    assert ended.error is not None
    assert "MiB while it ran" in ended.error
    assert ended.duration_us > 0
    assert rest == "queued"


async def test_one_that_gives_back_what_it_took_fails_alone(namespace: Namespace) -> None:
    """Where memory falls again, the process goes on, and does what comes next."""
    async with shop(namespace) as hall:
        with worker(replace(orders(namespace, "w1"), memory_mb=80)) as process:
            await eater(hall, 1, mb=112, held_s=2.0)
            await until(hall, ENDED, 1)
            await queue(hall, 1, rounds_of(5))
            await until(hall, ENDED, 2)

            assert process.poll() is None
        ends = {fact.task_id: fact.outcome for fact in await hall.sent(AttemptEnded)}

    assert ends == {task_id(1): "failed", task_id(0): "completed"}
