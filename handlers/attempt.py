"""One attempt: an agent's pipeline under its deadline, and how it went."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
import psycopg
from msgspec import Struct

from agents.consent import AwaitsApproval, Question
from agents.errors import AgentFailed
from agents.pipeline import Result
from agents.team.splitting import Delegated, Splitting
from handlers.ending import Finish
from store.claim import Claimed
from store.errors import StoreError

INLINE_BYTES = 64_000  # longer outputs go to the blob store
MOST_DETAIL = 2_000
_UNWIND_S = 5.0

Timer = Callable[[], float]


class Rests(Struct, frozen=True):
    """An attempt that goes on when others have done parts of it; `splitting` None: they were asked before."""

    splitting: Splitting | None


class Tried(Struct, frozen=True):
    """How an attempt went, and the output's bytes if they are for the blob store; or that it rests, or waits for a person."""

    finish: Finish
    blob: bytes | None = None
    rests: Rests | None = None
    waits: Question | None = None


async def attempt(claimed: Claimed, running: Awaitable[Result], timer: Timer, now: datetime) -> Tried:
    """Run an agent for at most its own time and the task's, and say how it went.

    Whatever a pipeline raises ends its attempt; trouble with Postgres is ours, and is raised. Who cancels it with an
    `AgentFailed` makes it fail with that.
    """
    began = timer()
    left_s = min(claimed.spec.timeout_s, (claimed.task.deadline - now).total_seconds())
    task = asyncio.ensure_future(running)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(left_s, 0.0))
    except asyncio.CancelledError as stop:
        if (why := _stopped_because(stop)) is None:
            raise
        return failed(claimed, why, round((timer() - began) * 1_000_000))
    finally:
        await _unwind(task)
    took_us = round((timer() - began) * 1_000_000)
    if not done:
        detail = f"{claimed.spec.id} took longer than {left_s:.3f} s"
        return Tried(Finish(claimed, "timed_out", took_us, reason="timed_out", detail=detail))
    error = _error(task)
    return failed(claimed, error, took_us) if error else completed(claimed, task.result(), took_us)


def _stopped_because(stop: asyncio.CancelledError) -> AgentFailed | None:
    """Return why somebody made the attempt fail; None: it was dropped, and nothing is to be written of it."""
    why = stop.args[0] if stop.args else None
    if not isinstance(why, AgentFailed):
        return None
    if (task := asyncio.current_task()) is not None:
        task.uncancel()  # it goes on to say how it went
    return why


async def _unwind(task: "asyncio.Future[Result]") -> None:
    """Stop what still runs, and give it a moment to clean up; a thread ends by itself."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_UNWIND_S)


def _error(task: "asyncio.Future[Result]") -> BaseException | None:
    """Return what a pipeline raised; trouble with Postgres says nothing about it, and is raised."""
    error = asyncio.CancelledError("it cancelled itself") if task.cancelled() else task.exception()
    if isinstance(error, psycopg.Error | StoreError):
        raise error
    return error


def failed(claimed: Claimed, error: BaseException, took_us: int) -> Tried:
    """Return a failure; an error that has no name of ours is a defect of the agent."""
    if isinstance(error, Delegated):
        return Tried(Finish(claimed, "failed", took_us, reason="delegated"), rests=Rests(error.splitting))
    if isinstance(error, AwaitsApproval):
        return Tried(Finish(claimed, "failed", took_us, reason="awaits_approval"), waits=error.question)
    if isinstance(error, AgentFailed):
        detail = clean(error.detail)
        costs = [step.cost_microusd for step in error.steps if step.cost_microusd is not None]
        spent = sum(costs) if costs else None
        finish = Finish(claimed, "failed", took_us, steps=error.steps, reason=error.reason, detail=detail, cost_microusd=spent)
        return Tried(finish)
    detail = clean(f"{type(error).__name__}: {error}")
    return Tried(Finish(claimed, "failed", took_us, reason="agent_broken", detail=detail))


def completed(claimed: Claimed, result: Result, took_us: int) -> Tried:
    """Return a success, if JSON can hold the output."""
    try:
        output = msgspec.json.encode(result.output)
    except (TypeError, ValueError, RecursionError) as error:
        return failed(claimed, AgentFailed("bad_output", f"JSON cannot hold it: {error}"), took_us)
    inline = len(output) <= INLINE_BYTES
    finish = Finish(
        claimed,
        "completed",
        took_us if result.duration_us is None else result.duration_us,
        steps=result.steps,
        output=msgspec.Raw(output) if inline else None,
        cost_microusd=result.cost_microusd,
    )
    return Tried(finish, None if inline else output)


def clean(text: str) -> str:
    """Return a text that every store and every terminal can hold."""
    return text[:MOST_DETAIL].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
