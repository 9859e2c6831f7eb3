"""The worker's desk: claims attempts and writes down how they ended, each in one transaction with its facts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from events.stamp import caused
from events.task import AttemptStarted, TaskOutcome
from events.topics import TASKS
from events.wire import Outgoing, encode
from handlers.attempt import Tried
from handlers.ending import Finish, Roads, finish_facts, judge
from store import blob, claim, closing, ledger, outbox
from store.claim import Claimed, Hold
from store.postgres import Connection

EndOutcome = Literal["completed", "failed", "timed_out", "lost_lease"]


class Desk:
    """Where one worker claims and ends attempts."""

    def __init__(self, connection: Connection, worker: str, roads: Roads, clock: Callable[[], datetime], lease_s: float) -> None:
        self._connection = connection
        self._worker = worker
        self._roads = roads
        self._clock = clock
        self._lease_s = lease_s

    async def claim(self, agents: Sequence[str] | None, limit: int) -> list[Claimed]:
        """Take up to `limit` attempts, and say that they have started."""
        async with self._connection.transaction():
            claimed = await claim.claim(self._connection, self._worker, agents, limit, self._lease_s)
            await outbox.put(self._connection, [self._started(one) for one in claimed])
        return claimed

    async def end(self, tried: Sequence[Tried]) -> list[EndOutcome]:
        """Write down how attempts ended, and what that means for their tasks.

        One whose lease was lost, or whose task has ended, writes nothing: somebody else has ended it, or will.
        """
        async with self._connection.transaction():
            won = await self._win([one.finish for one in tried])
            doubted = await self._doubted([one.finish for one in tried if one.finish.claimed.hold in won])
            states: list[tuple[str, TaskOutcome]] = []
            records: list[Outgoing] = []
            for one in tried:
                hold = one.finish.claimed.hold
                if hold in won:
                    records += await self._conclude(one, hold.task_id in doubted, states)
            await closing.close(self._connection, states)
            await outbox.put(self._connection, records)
        return [one.finish.outcome if one.finish.claimed.hold in won else "lost_lease" for one in tried]

    async def give_back(self, holds: Sequence[Hold]) -> int:
        """Queue again what we hold and will not end; return how many."""
        return await claim.give_back(self._connection, holds)

    async def _win(self, finishes: Sequence[Finish]) -> set[Hold]:
        """Lock the tasks, end the attempts, and return those that were still ours."""
        open_ids = await closing.lock_open(self._connection, [one.claimed.hold.task_id for one in finishes])
        ends = [closing.AttemptEnd(one.claimed.hold, one.outcome) for one in finishes if one.claimed.hold.task_id in open_ids]
        return await closing.end_attempts(self._connection, self._worker, ends) if ends else set()

    async def _doubted(self, finishes: Sequence[Finish]) -> set[str]:
        """Return tasks whose attempt failed with a side effect in doubt."""
        failed = [one.claimed.hold.task_id for one in finishes if one.outcome != "completed"]
        return await ledger.in_doubt(self._connection, failed) if failed else set()

    async def _conclude(self, one: Tried, doubted: bool, states: list[tuple[str, TaskOutcome]]) -> list[Outgoing]:
        """Decide what becomes of the task, store a long output, and return the records."""
        now = self._clock()
        verdict = judge(one.finish, doubted, now)
        if verdict:
            states.append((one.finish.claimed.hold.task_id, verdict.outcome))
        finish = one.finish
        if one.blob is not None:
            finish = replace(finish, output_sha256=await blob.put(self._connection, one.blob))
        return finish_facts(finish, verdict, self._roads, now)

    def _started(self, one: Claimed) -> Outgoing:
        """Return the record of an attempt's start; a takeover fills the same slot."""
        fact = AttemptStarted(
            tenant=one.task.tenant,
            task_id=one.hold.task_id,
            attempt=one.hold.attempt,
            agent=one.spec.id,
            worker=self._worker,
        )
        event = caused(fact, one.cause, source=self._roads.source, now=self._clock())
        return encode(self._roads.names.of(TASKS), event)
