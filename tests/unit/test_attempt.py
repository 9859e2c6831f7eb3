"""One attempt: whatever a pipeline does, it ends in time and by name."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import pytest

from agents.errors import AgentFailed
from agents.pipeline import Result
from events.event import Envelope
from events.task import Step, TaskSubmitted
from handlers.attempt import INLINE_BYTES, Tried, attempt
from store.claim import Claimed, Hold
from store.errors import Fenced
from tests.builders import TASK, context, moment, spec, submitted


def claimed(timeout_s: float = 5.0, deadline: datetime | None = None) -> Claimed:
    """Return a claim of the first attempt at a task."""
    event = submitted(deadline=deadline or moment(3600))
    assert isinstance(event.fact, TaskSubmitted)
    cause = Envelope(id="c", source="s", subject=TASK, time=moment(2), correlation_id=TASK, causation_id="b")
    return Claimed(Hold(TASK, 1, 1), "w", event.fact, spec(timeout_s=timeout_s), context(), cause)


async def run(work: Coroutine[Any, Any, Result], timeout_s: float = 5.0, **fields: Any) -> Tried:
    """Run one attempt, at the start of the tests' time."""
    return await attempt(claimed(timeout_s, **fields), work, time.monotonic, moment(0))


async def giving(output: Any) -> Result:
    """Give an output."""
    return Result(output, (Step("s", 5),), 7)


async def raising(error: BaseException) -> Result:
    """Raise an error."""
    raise error


async def test_a_result_completes_the_attempt() -> None:
    """Output, steps and measured cost are taken over as they are."""
    tried = await run(giving({"answer": 2}))

    finish = tried.finish
    assert (finish.outcome, finish.steps, finish.cost_microusd) == ("completed", (Step("s", 5),), 7)
    assert msgspec.json.decode(msgspec.json.encode(finish.output)) == {"answer": 2}
    assert (tried.blob, finish.reason) == (None, None)


async def test_a_long_output_is_for_the_blob_store() -> None:
    """Above the limit the bytes go apart, and the fact carries none of them."""
    short, long = await run(giving("x" * (INLINE_BYTES - 2))), await run(giving("x" * (INLINE_BYTES - 1)))

    assert (short.blob, long.finish.output) == (None, None)
    assert long.blob == b'"' + b"x" * (INLINE_BYTES - 1) + b'"'


@pytest.mark.parametrize("output", [object(), "\ud800", {1.5: object()}])
async def test_an_output_that_json_cannot_hold_is_a_failure(output: Any) -> None:
    """The attempt fails by name; the worker goes on."""
    finish = (await run(giving(output))).finish

    assert (finish.outcome, finish.reason) == ("failed", "bad_output")


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (AgentFailed("not_arithmetic", "no\x00sum \ud800"), "not_arithmetic", "no\ufffdsum ?"),
        (KeyError("k"), "agent_broken", "KeyError: 'k'"),
        (RecursionError("deep"), "agent_broken", "RecursionError: deep"),
        (asyncio.CancelledError("me"), "agent_broken", "CancelledError: it cancelled itself"),
    ],
)
async def test_whatever_a_pipeline_raises_fails_its_attempt(error: BaseException, reason: str, detail: str) -> None:
    """A named failure keeps its name; anything else is a defect of the agent. The text fits every store."""
    finish = (await run(raising(error))).finish

    assert (finish.outcome, finish.reason, finish.detail) == ("failed", reason, detail)


async def test_a_long_detail_is_cut() -> None:
    """An agent cannot flood the log with its error."""
    finish = (await run(raising(AgentFailed("r", "x" * 10_000)))).finish

    assert len(finish.detail or "") == 2_000


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), Fenced("gone")])
async def test_trouble_with_postgres_is_not_the_agents(error: Exception) -> None:
    """It teaches nothing about the agent, so it ends the worker and not the attempt."""
    with pytest.raises(type(error)):
        await run(raising(error))


async def test_an_attempt_ends_at_the_agents_timeout_or_the_tasks_deadline() -> None:
    """Whichever comes first cuts the attempt off, and the pipeline is stopped."""
    stopped: list[str] = []

    async def long(name: str) -> Result:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.append(name)
        return Result(None, ())

    by_agent = await run(long("agent"), timeout_s=0.05)
    by_deadline = await run(long("deadline"), deadline=moment(0.05))

    assert [one.finish.outcome for one in (by_agent, by_deadline)] == ["timed_out", "timed_out"]
    assert stopped == ["agent", "deadline"]
    assert 50_000 <= by_agent.finish.duration_us < 5_000_000


async def test_cancelling_an_attempt_stops_its_pipeline() -> None:
    """When the lease is lost, what still runs is stopped."""
    stopped = asyncio.Event()
    begun = asyncio.Event()

    async def long() -> Result:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        return Result(None, ())

    task = asyncio.create_task(run(long()))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()
