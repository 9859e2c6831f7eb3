"""The supervisor: hears how the parts of split tasks go, asks for the next ones, and lets a split task go on when they are over.

A durable fold: position, plans and requests move in one transaction, so a kill anywhere repeats no part (docs/teamwork.md).
"""

from asyncio import Event as Flag
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from agents.team.advance import Moved, advance
from agents.team.standing import Heard, Standing, heard
from bus.reader import MakeReader, PartitionReader
from events.answer import RequestRefused
from events.errors import EventError
from events.event import Envelope, Event
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR
from events.task import AgentChosen, AttemptEnded, TaskEnded
from events.topics import ANSWERS, TASKS, Names
from events.wire import Incoming, Outgoing, decode, event_type
from handlers.count import Count
from handlers.sieve import Sieve, Timer
from handlers.team_facts import given_up, records
from handlers.turn import take_turn
from store import blob, closing, outbox, room, team
from store.blob import BlobMissing
from store.fold import DurableFold, MakeFold
from store.follow import follow
from store.postgres import Connect, Connection, connect
from store.team import OWN, Stored

CONSUMER = "supervisor"  # stored beside the positions
_READS = (AgentChosen, AttemptEnded, TaskEnded, RequestRefused)
_WIRE_NAMES = frozenset(cls.event_type.wire_name for cls in _READS)
_REFUSED = RequestRefused.event_type.wire_name
_HOLD_S = 0.05
_STANDBY_S = 0.5

Plan = tuple[str, int]
Told = tuple[str, Event[Heard]]  # a task, and what was told of it


class Supervisor:
    """Applies batches of the log to plans."""

    def __init__(self, names: Names, clock: Callable[[], datetime], count: Count) -> None:
        self._names, self._clock, self._count = names, clock, count
        self._waiting: list[str] = []  # agents whose attempts may go on since the last ring

    async def apply(self, connection: Connection, batch: Sequence[Incoming]) -> None:
        """Apply one batch in the caller's transaction."""
        named = [(task, record) for record in batch if (task := _task(record)) is not None]
        plans = await team.plans_of(connection, sorted({task for task, _ in named})) if named else {}
        ours = {*plans, *(task for task, _ in plans.get(OWN, ()))}
        told = [(task, event) for task, record in named if task in ours and (event := _read(record)) is not None]
        if told:
            await self._move(connection, _by_plan(told, plans))

    async def ring(self, connection: Connection) -> None:
        """Wake workers for what may go on; call it after the commit."""
        agents, self._waiting = self._waiting, []
        await room.ring(connection, agents)

    async def _move(self, connection: Connection, told: dict[Plan, list[Told]]) -> None:
        """Move the plans that something was told about; their tasks are locked first, for the order of locks."""
        live = await closing.lock_open(connection, sorted({task for task, _ in told}))
        for stored in await team.lock(connection, sorted(told)):
            if stored.state == "open":
                await self._one(connection, stored, told[stored.task_id, stored.attempt], stored.task_id in live)

    async def _one(self, connection: Connection, stored: Stored, told: list[Told], live: bool) -> None:
        """Take in what was told of one plan's parts, and do what follows from it."""
        standing = msgspec.json.decode(stored.standing, type=Standing)
        for task, event in told:
            standing = heard(standing, task, event.fact)
        by = replace(told[-1][1].envelope, traceparent=msgspec.json.decode(stored.cause, type=Envelope).traceparent)
        if not live:
            await self._give_up(connection, standing, by)
            return
        outputs = await _outputs(connection, standing)
        moved = _stamped(advance(standing, outputs), self._clock())
        await self._save(connection, moved.standing, records(moved, outputs, by, self._names, self._clock()))
        self._count("supervisor.asked", len(moved.starts))
        self._count("supervisor.step_ended", len(moved.ended))
        if moved.standing.outcome is not None:
            self._count(f"supervisor.plan_{moved.standing.outcome}", 1)
            self._waiting += await team.wake(connection, stored.task_id, stored.attempt)

    async def _give_up(self, connection: Connection, standing: Standing, by: Envelope) -> None:
        """End the plan of a task that is over: it was cancelled, or out of time."""
        put = given_up(standing, by, self._names, self._clock())
        await self._save(connection, replace(standing, outcome="given_up"), put)
        self._count("supervisor.plan_given_up", 1)

    async def _save(self, connection: Connection, standing: Standing, put: Sequence[Outgoing]) -> None:
        """Write down how a plan stands, and what is to be published."""
        brief = standing.brief
        parts = [part.task_id for some in standing.parts.values() for part in some]
        await team.add_parts(connection, brief.task_id, brief.attempt, parts)
        await team.save(connection, brief.task_id, brief.attempt, msgspec.json.encode(standing), standing.outcome or "open")
        await outbox.put(connection, put)


def _stamped(moved: Moved, now: datetime) -> Moved:
    """Return a plan that is over with its time."""
    if moved.standing.outcome is None:
        return moved
    return replace(moved, standing=replace(moved.standing, ended_at=now))


async def _outputs(connection: Connection, standing: Standing) -> dict[str, Any]:
    """Return the outputs of completed parts by task; long ones from the blob store, those that are not there left out."""
    found: dict[str, Any] = {}
    for parts in standing.parts.values():
        for part in parts:
            if part.outcome != "completed":
                continue
            if part.output_sha256 is None:
                found[part.task_id] = part.output
                continue
            try:
                found[part.task_id] = msgspec.json.decode(await blob.get(connection, part.output_sha256))
            except BlobMissing:  # the step fails by name
                continue
    return found


def urgency(record: Incoming) -> Literal["now", "soon", "never"]:
    """Say from the headers alone whether a record may be about a plan."""
    return "soon" if event_type(record.headers) in _WIRE_NAMES else "never"


def _task(record: Incoming) -> str | None:
    """Return the task that a record is about: its key, but for a refusal, which names the request."""
    kind = event_type(record.headers)
    if kind == _REFUSED:
        event = _read(record)
        fact = event.fact if event else None
        refused = isinstance(fact, RequestRefused) and fact.requested_by == SUPERVISOR and fact.request_id
        return task_id_of(fact.tenant, SUPERVISOR, refused) if fact and refused else None
    return (record.key or b"").decode("utf-8", "replace") if kind in _WIRE_NAMES else None


def _read(record: Incoming) -> Event[Heard] | None:
    """Return the event in a record; dispatch sets aside what nobody can read."""
    try:
        event = decode(record.headers, record.value)
    except EventError:
        return None
    fact = event.fact
    return Event(event.envelope, fact) if isinstance(fact, AgentChosen | AttemptEnded | TaskEnded | RequestRefused) else None


def _by_plan(told: Sequence[Told], plans: dict[str, list[Plan]]) -> dict[Plan, list[Told]]:
    """Return by plan what was told of its parts, and the end of its own task."""
    found: dict[Plan, list[Told]] = {}
    own = plans.get(OWN, [])
    for task, event in told:
        for plan in plans.get(task, []):
            found.setdefault(plan, []).append((task, event))
        if isinstance(event.fact, TaskEnded):
            for plan in own:
                if plan[0] == task:
                    found.setdefault(plan, []).append((task, event))
    return found


def places(names: Names) -> list[tuple[str, int]]:
    """Return every partition that the supervisor reads."""
    return names.places(TASKS, ANSWERS)


class _Gathering:
    """A source that rests once records came: what follows is fetched at once, not each record by itself, and is not waited for.

    A fetch for each record cost dispatch and the broker half a millisecond of every task, also of those that nobody splits.
    """

    def __init__(self, reader: PartitionReader) -> None:
        self._reader = reader
        self._gave = False

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> Sequence[Incoming]:
        """Return the next records."""
        if self._gave:
            await self._reader.rest(_HOLD_S)
        found = await self._reader.fetch(limit, min(wait_ms, round(_HOLD_S * 1000)) if self._gave else wait_ms)
        self._gave = bool(found)
        return found


async def run(
    kafka: str,
    dsn: str,
    names: Names,
    supervisor: Supervisor,
    stopped: Flag,
    timer: Timer = monotonic,
    *,
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
    make_fold: MakeFold = DurableFold,
) -> None:
    """Supervise until told to stop, after standing by while another one does; any error ends it.

    Raises:
        Fenced: another process moved a position of ours.
    """
    connection = await connect(dsn, CONSUMER)
    reader = make_reader(kafka, CONSUMER)
    try:
        if not await take_turn(connection, names, stopped, _STANDBY_S, CONSUMER):
            return
        fold = make_fold(CONSUMER, connection)
        positions = await fold.positions(places(names))
        await reader.start(positions)
        source = Sieve(_Gathering(reader), urgency, timer, _HOLD_S)
        await follow(source, fold, positions, supervisor.apply, stopped.is_set, committed=partial(supervisor.ring, connection))
    finally:
        await reader.stop()
        await connection.close()
