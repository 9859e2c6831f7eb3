"""The watchdog: queues again what a dead worker held, ends what is past its deadline, hands back what nobody may do.

Beside its rounds it lets go of what ended long ago.

It only does what the rows say; several may run, for rows that one has locked are passed over by the others.
"""

from asyncio import Event
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from events.task import TaskOutcome
from events.wire import Outgoing
from handlers.asking import lapsed
from handlers.count import Count
from handlers.ending import Roads, Verdict, early_facts, handed_back_facts
from handlers.nap import nap
from handlers.purge import Keep, Purge
from handlers.sieve import Timer
from store import approval, claim, closing, outbox, room, work
from store.closing import Closed
from store.postgres import Connect, Connection, connect

SOURCE = "smolit/watchdog"
APPLICATION = "watchdog"

Swept = Literal["requeued", "moved", "expired", "lapsed", "handed_back", "agent_retired", "workers_died"]


class Watchdog:
    """Sweeps the work queue, in bounded bites."""

    def __init__(
        self, connection: Connection, roads: Roads, clock: Callable[[], datetime], bite: int = 100, most_claims: int = 20
    ) -> None:
        self._connection = connection
        self._roads = roads
        self._clock = clock
        self._bite = bite
        self._most_claims = most_claims

    async def sweep(self) -> dict[Swept, int]:
        """Do one round; return how many attempts were queued again, and how many tasks ended or were handed back."""
        requeued = await claim.requeue_late(self._connection, self._bite, self._most_claims)
        moved = await work.move_strayed(self._connection, self._bite)
        await room.ring_all(self._connection, moved)
        expired = await self._expire()
        handed_back, failed = await self._hand_back()
        return {
            "requeued": requeued,
            "moved": len(moved),
            "expired": expired,
            "lapsed": await self._lapse(),
            "handed_back": handed_back,
            "agent_retired": failed,
            "workers_died": await self._give_up(),
        }

    async def _expire(self) -> int:
        """End tasks that are past their deadline."""
        async with self._connection.transaction():
            due = await closing.lock_due(self._connection, self._bite)
            if due:
                verdict = Verdict("expired", "deadline", "the deadline passed before the task was done")
                await self._end(await closing.abandon(self._connection, due), verdict)
        return len(due)

    async def _lapse(self) -> int:
        """Deny what nobody answered in time; what waits for it goes on, and is told so."""
        async with self._connection.transaction():
            late = await approval.expire(self._connection, self._bite)
            now = self._clock()
            await self._put([[lapsed(one, self._roads.names, self._roads.source, now)] for one in late])
        return len(late)

    async def _hand_back(self) -> tuple[int, int]:
        """Take attempts from retired agents: another is chosen while there are attempts left, else the task fails."""
        found = await closing.of_retired(self._connection, self._bite)
        if not found:
            return 0, 0
        async with self._connection.transaction():
            locked = await closing.lock_open(self._connection, found)
            tasks = await closing.abandon(self._connection, sorted(locked))
            last = [closed for closed in tasks if _is_last(closed)]
            again = [closed for closed in tasks if not _is_last(closed)]
            await self._put([handed_back_facts(one, "agent_retired", self._roads, self._clock()) for one in again])
            await self._end(last, Verdict("failed", "agent_retired", "the chosen agent has retired"))
        return len(again), len(last)

    async def _give_up(self) -> int:
        """Fail tasks whose attempt one worker after another died of, or seemed to."""
        found = await closing.of_deadly(self._connection, self._bite, self._most_claims)
        if not found:
            return 0
        async with self._connection.transaction():
            locked = sorted(await closing.lock_open(self._connection, found))
            detail = f"{self._most_claims} workers in a row did not come back from it"
            await self._end(await closing.abandon(self._connection, locked), Verdict("failed", "workers_died", detail))
        return len(locked)

    async def _end(self, tasks: Sequence[Closed], verdict: Verdict) -> None:
        """End locked tasks, with their facts."""
        await self._put([early_facts(closed, verdict, None, self._roads, self._clock()) for closed in tasks])
        states: list[tuple[str, TaskOutcome]] = [(closed.task.task_id, verdict.outcome) for closed in tasks]
        await closing.close(self._connection, states)

    async def _put(self, records: Sequence[list[Outgoing]]) -> None:
        """Write the records of several tasks."""
        await outbox.put(self._connection, [record for some in records for record in some])


def _is_last(closed: Closed) -> bool:
    """Say whether a task has had its last attempt."""
    return any(one.attempt >= one.context.max_attempts for one in closed.abandoned)


async def run(
    dsn: str,
    roads: Roads,
    stopped: Event,
    clock: Callable[[], datetime],
    timer: Timer,
    count: Count,
    keep: Keep,
    every_s: float = 0.5,
    *,
    connect: Connect = connect,
) -> None:
    """Sweep until told to stop; any error ends it, and the runner starts it again."""
    connection = await connect(dsn, APPLICATION)
    try:
        watchdog, purge = Watchdog(connection, roads, clock), Purge(connection, timer, keep)
        while not stopped.is_set():
            for what, times in (await watchdog.sweep()).items():
                count(f"watchdog.{what}", times)
            for which, rows in (await purge.bite()).items():
                count(f"watchdog.purged_{which}", rows)
            await nap(stopped, every_s)
    finally:
        await connection.close()
