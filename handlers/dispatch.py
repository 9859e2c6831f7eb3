"""Dispatch: reads tasks, choices and ends back from the log and keeps the work queue, in one durable fold.

Only what came first in the log counts: the first choice of each (task, attempt) is queued, the first end closes.
"""

from asyncio import Event as Flag
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic

from msgspec import Struct

from bus.reader import MakeReader, PartitionReader
from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from events.approval import ApprovalAnswered
from events.aside import dead_letter
from events.event import Event
from events.pool import pool_of
from events.task import AgentChosen, CancelRequested, TaskEnded
from events.topics import AGENTS, DEFAULT_TENANT, TASKS, Names
from events.wire import Incoming
from handlers.asking import answered
from handlers.count import Count
from handlers.ending import Roads, Verdict, closed_facts, early_facts
from handlers.line import Line
from handlers.reading import AgentFact, Batch, read, urgency
from handlers.sieve import Sieve, Timer
from handlers.turn import take_turn
from store import closing, outbox, room, work
from store.fold import DurableFold, MakeFold
from store.follow import follow
from store.postgres import Connect, Connection, connect

CONSUMER = "dispatch"  # stored beside the positions
SOURCE = "smolit/dispatch"


class Retry(Struct, frozen=True):
    """How long a further attempt is held back: doubling from `base_s` up to `most_s`, times a half to one."""

    base_s: float = 0.1
    most_s: float = 5.0

    def delay_s(self, attempt: int, draw: float) -> float:
        """Return the seconds to wait before this attempt; the first never waits. `draw` is in [0, 1)."""
        if attempt <= 1:
            return 0.0
        return float(min(self.most_s, self.base_s * 2.0 ** min(attempt - 2, 30)) * (0.5 + draw / 2))


class Dispatcher:
    """Applies batches of the log to the work queue."""

    def __init__(
        self, roads: Roads, clock: Callable[[], datetime], draw: Callable[[], float], retry: Retry, count: Count
    ) -> None:
        self._roads = roads
        self._clock = clock
        self._draw = draw
        self._retry = retry
        self._count = count
        self._line = Line(CONSUMER)
        self._waiting: list[tuple[str, str]] = []  # agents of what was queued since the last ring, with their pools

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Apply one batch in the caller's transaction. Ends go before cancellations: what the log says has happened."""
        batch = await self._readable(connection, records)
        for agent in batch.agents:
            await self._agent(connection, agent.fact)
        new = [work.NewTask(event.fact, event.envelope) for event in batch.submitted]
        added = await work.add_tasks(connection, new)
        self._count("dispatch.submitted", added)
        self._count("dispatch.submitted_again", len(new) - added)
        if batch.touched:
            open_ids = await closing.lock_open(connection, batch.touched)
            await self._queue(connection, batch.chosen, open_ids)
            open_ids -= await self._close(connection, batch.ended, open_ids)
            await self._cancel(connection, batch.cancels, open_ids)
            await self._answer(connection, batch.answers)

    async def ring(self, connection: Connection) -> None:
        """Wake workers for what was queued; call it after the commit. An attempt that is held back is found when it may go."""
        calls, self._waiting = self._waiting, []
        await room.ring_all(connection, calls)

    async def _readable(self, connection: Connection, records: Sequence[Incoming]) -> Batch:
        """Return what may be acted on; what is no fact becomes a dead letter, and so does what comes behind it."""
        batch = read(records)
        wrong = {record.origin: error for record, error in batch.unreadable}
        passage = await self._line.admit(connection, records, wrong)
        names, now = self._roads.names, self._clock()
        letters = [
            dead_letter(one.record, "dispatch", DEFAULT_TENANT, one.reason, one.detail, names, now) for one in passage.aside
        ]
        await outbox.put(connection, letters)
        self._count("dispatch.dead_letter", len(letters))
        return read(passage.through) if letters else batch

    async def _agent(self, connection: Connection, fact: AgentFact) -> None:
        """Keep an agent as `events.control` keeps it: a revised one keeps its state, a retired one stays so."""
        match fact:
            case AgentRegistered() | AgentRevised():
                keep = isinstance(fact, AgentRevised)
                await work.put_agent(connection, fact.tenant, fact.spec, fact.digest, keep)
                pool: str | None = pool_of(fact.tenant, fact.spec)
            case AgentPaused(tenant=tenant, agent_id=agent_id):
                pool = await work.set_agent(connection, tenant, agent_id, "paused")
            case AgentResumed(tenant=tenant, agent_id=agent_id):
                pool = await work.set_agent(connection, tenant, agent_id, "active")
            case AgentRetired(tenant=tenant, agent_id=agent_id):
                pool = await work.set_agent(connection, tenant, agent_id, "retired")
        if pool is not None:
            self._waiting.append((fact.agent_id, pool))  # attempts may have been waiting for it
        self._count("dispatch.agent_changed", 1)

    async def _queue(self, connection: Connection, chosen: Sequence[Event[AgentChosen]], open_ids: set[str]) -> None:
        """Queue the first choice of each attempt; a repeat and a choice for an ended task are counted and dropped."""
        first: dict[tuple[str, int], Event[AgentChosen]] = {}
        for event in chosen:
            if event.fact.task_id in open_ids:
                first.setdefault((event.fact.task_id, event.fact.attempt), event)
        attempts = [self._attempt(event) for event in first.values()]
        added = await work.add_attempts(connection, attempts)
        self._waiting += [(one.fact.agent, added[one.key]) for one in attempts if one.key in added and not one.delay_s]
        late = sum(event.fact.task_id not in open_ids for event in chosen)
        self._count("dispatch.queued", len(added))
        self._count("dispatch.chosen_late", late)
        self._count("dispatch.chosen_again", len(chosen) - late - len(added))

    def _attempt(self, event: Event[AgentChosen]) -> work.NewAttempt:
        """Return the attempt of a choice, held back a little if it is a retry."""
        delay_s = self._retry.delay_s(event.fact.attempt, self._draw())
        return work.NewAttempt(event.fact, event.envelope, delay_s)

    async def _close(self, connection: Connection, ended: Sequence[Event[TaskEnded]], open_ids: set[str]) -> set[str]:
        """Close open tasks that the log says have ended, and answer; return them."""
        first: dict[str, Event[TaskEnded]] = {}
        for event in ended:
            if event.fact.task_id in open_ids:
                first.setdefault(event.fact.task_id, event)
        for closed in await closing.abandon(connection, sorted(first)) if first else ():
            records = closed_facts(closed, first[closed.task.task_id], self._roads, self._clock())
            await outbox.put(connection, records)
        await closing.close(connection, [(task_id, event.fact.outcome) for task_id, event in first.items()])
        self._count("dispatch.closed", len(first))
        self._count("dispatch.closed_before", len(ended) - len(first))
        return set(first)

    async def _cancel(self, connection: Connection, cancels: Sequence[Event[CancelRequested]], open_ids: set[str]) -> None:
        """Cancel open tasks, one by one; a cancellation that comes after the end is counted and dropped."""
        first = {event.fact.task_id: event for event in reversed(cancels) if event.fact.task_id in open_ids}
        for closed in await closing.abandon(connection, sorted(first)) if first else ():
            event = first[closed.task.task_id]
            verdict = Verdict("cancelled", "cancelled", event.fact.reason or None)
            await outbox.put(connection, early_facts(closed, verdict, event.envelope, self._roads, self._clock()))
        await closing.close(connection, [(task_id, "cancelled") for task_id in first])
        self._count("dispatch.cancelled", len(first))
        self._count("dispatch.cancelled_late", len(cancels) - len(first))

    async def _answer(self, connection: Connection, answers: Sequence[Event[ApprovalAnswered]]) -> None:
        """Let answers count that are in time, and what waits for them go on; a later one is counted and dropped."""
        for event in answers:
            records, agents = await answered(connection, event, self._roads.names, self._roads.source, self._clock())
            await outbox.put(connection, records)
            self._waiting += agents
            self._count("dispatch.answered" if records else "dispatch.answered_late", 1)


def places(names: Names) -> list[tuple[str, int]]:
    """Return every partition that dispatch reads."""
    return names.places(AGENTS, TASKS)


async def run(
    kafka: str,
    dsn: str,
    names: Names,
    dispatcher: Dispatcher,
    stopped: Flag,
    standby_poll_s: float = 0.5,
    timer: Timer = monotonic,
    *,
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
    make_fold: MakeFold = DurableFold,
) -> None:
    """Dispatch until told to stop, after standing by while another one does; any error ends it.

    Raises:
        Fenced: another process moved a position of ours.
    """
    connection = await connect(dsn, CONSUMER)
    reader = make_reader(kafka, CONSUMER)
    try:
        if await take_turn(connection, names, stopped, standby_poll_s, CONSUMER):
            fold = make_fold(CONSUMER, connection)
            positions = await fold.positions(places(names))
            await reader.start(positions)
            source = Sieve(reader, urgency, timer)
            ring = partial(dispatcher.ring, connection)
            await follow(source, fold, positions, dispatcher.apply, stopped.is_set, committed=ring)
    finally:
        await reader.stop()
        await connection.close()
