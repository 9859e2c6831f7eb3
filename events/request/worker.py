"""What workers that live elsewhere say: that they begin, that they live, and what came of an attempt."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.event import event
from events.field import Ident, Name, Sentence, TaskId, says
from events.request.request import Count, Request
from events.topics import REQUESTS

WorkerName = Annotated[Name, says("What the worker calls itself; no two of one source share it.")]
PoolName = Annotated[Name, says("Pool that it serves: the one in the specs of its agents.")]
Epoch = Annotated[int, Meta(ge=1, le=10**15)]


@event("worker.announce", version=1, topic=REQUESTS, key="worker")
class AnnounceWorker(Request, frozen=True, kw_only=True):
    """A worker that lives elsewhere begins: it holds nothing, whatever it held before, and wants work."""

    worker: WorkerName
    pool: PoolName
    capacity: Annotated[int, Meta(ge=1, le=1000), says("Attempts that it does at a time.")]
    about: Annotated[Sentence, says("What it is, for people.")] = ""


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """An attempt that a worker is at, under the claim that it was given it by."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000), says("Which attempt at the task, counted from 1.")]
    epoch: Annotated[Epoch, says("The claim, as the command named it.")]


@event("worker.beat", version=1, topic=REQUESTS, key="worker")
class BeatWorker(Request, frozen=True, kw_only=True):
    """A worker lives, and is at these attempts: their leases are renewed, and no others."""

    worker: WorkerName
    pool: PoolName
    capacity: Annotated[int, Meta(ge=0, le=1000), says("Attempts that it does at a time; 0: it wants no more, and will go.")]
    holding: Annotated[tuple[Held, ...], Meta(max_length=1000), says("What it is at.")] = ()


class DoneStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of an attempt; figures that were not measured are absent."""

    name: Annotated[Ident, says("What it is called.")]
    duration_us: Annotated[Count, says("How long it took, in microseconds.")]
    model: Annotated[Ident | None, says("Model that it used, with its version.")] = None
    tokens_in: Annotated[Count | None, says("Tokens that the model read.")] = None
    tokens_out: Annotated[Count | None, says("Tokens that the model wrote.")] = None
    cost_microusd: Annotated[Count | None, says("What it cost, in millionths of a dollar.")] = None


@event("attempt.answer", version=1, topic=REQUESTS, key="task_id")
class AnswerAttempt(Request, frozen=True, kw_only=True):
    """This came of an attempt. It counts once, and only from the worker that has the attempt, under its last claim."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000), says("Which attempt at the task, counted from 1.")]
    epoch: Annotated[Epoch, says("The claim, as the command named it.")]
    worker: WorkerName
    outcome: Annotated[Literal["completed", "failed"], says("How it went.")]
    output: Annotated[Any, says("The result, any JSON.")] = None
    reason: Annotated[
        Ident | None, says("Code of what went wrong; `effect_unknown`: a side effect may have happened, a person decides.")
    ] = None
    detail: Annotated[Sentence, says("What went wrong, for people.")] = ""
    steps: Annotated[tuple[DoneStep, ...], Meta(max_length=100), says("What was done, in order.")] = ()
    cost_microusd: Annotated[Count | None, says("What it cost, in millionths of a dollar; null: not known.")] = None


@event("command.refuse", version=1, topic=REQUESTS, key="worker")
class RefuseCommand(Request, frozen=True, kw_only=True):
    """A worker elsewhere was told something that the house did not say, or not to it, or not now; it did nothing of it."""

    worker: WorkerName
    pool: PoolName
    reason: Annotated[
        Literal["unsigned", "unknown_key", "forged", "foreign_pool", "late", "replayed"], says("What is wrong with the command.")
    ]
    place: Annotated[Ident, says("Where the command stands: topic, partition and offset, with `/` between.")]
    command_id: Annotated[Ident | None, says("`ce_id` of the command, if it has one.")] = None


# Taken in by the bridge (`handlers/bridge.py`), not by intake: they become no facts of their own.
OF_WORKERS = (AnnounceWorker, BeatWorker, AnswerAttempt, RefuseCommand)
