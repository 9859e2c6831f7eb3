"""The worker's desk: claims attempts and writes down how they ended, each in one transaction with its facts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec.structs import replace

from events.pool import HOUSE
from events.stamp import caused
from events.task import AttemptStarted
from events.topics import TASKS
from events.wire import Outgoing, encode
from handlers.asking import wait
from handlers.attempt import Tried
from handlers.ending import Finish, Roads, finish_facts, judge
from handlers.splitting import rest
from store import blob, claim, closing, ledger, outbox, room
from store.claim import Claimed, Hold
from store.postgres import Connection

EndOutcome = Literal["completed", "failed", "timed_out", "lost_lease", "rests"]


class Turn(NamedTuple):
    """What one turn did: how the ends went, and what was claimed."""

    outcomes: list[EndOutcome]
    claimed: list[Claimed]


class Desk:
    """Where one worker claims and ends attempts."""

    def __init__(
        self,
        connection: Connection,
        worker: str,
        roads: Roads,
        clock: Callable[[], datetime],
        lease_s: float,
        pool: str = HOUSE,
    ) -> None:
        self._connection = connection
        self._worker = worker
        self._roads = roads
        self._clock = clock
        self._lease_s = lease_s
        self._pool = pool

    async def turn(self, tried: Sequence[Tried], agents: Sequence[str] | None, most: int) -> Turn:
        """Write down how attempts ended, and what that means for their tasks; then take up to `most` new ones.

        What room is left then is offered: whoever queues something rings for it. An end whose lease was lost, or whose task has
        ended, writes nothing: somebody else has ended it, or will.
        """
        async with self._connection.transaction():
            resting, ending, records = await self._rest(tried)
            outcomes, ended = await self._end(ending) if ending else ([], [])
            claimed = await self._claim(agents, most) if most > 0 else []
            await outbox.put(self._connection, [*records, *ended, *(self.started(one) for one in claimed)])
        return Turn([*outcomes, *resting], claimed)

    async def any_queued(self) -> bool:
        """Say whether anything may be there to take."""
        return await claim.any_queued(self._connection, self._pool)

    async def pass_on(self) -> None:
        """Wake others for what waits: we were rung for it, and have no room."""
        await room.pass_on(self._connection, self._pool)

    async def withdraw(self) -> None:
        """Take back what room was offered; what we were rung for until now goes to others."""
        await room.withdraw(self._connection, self._worker)
        await room.pass_on(self._connection, self._pool)

    async def give_back(self, holds: Sequence[Hold]) -> int:
        """Queue again what we hold and will not end; return how many."""
        return await claim.give_back(self._connection, holds)

    async def _claim(self, agents: Sequence[str] | None, most: int) -> list[Claimed]:
        """Take attempts under our lease."""
        return await claim.claim(self._connection, self._worker, agents, most, self._lease_s, self._pool)

    async def _rest(self, tried: Sequence[Tried]) -> tuple[list[EndOutcome], list[Tried], list[Outgoing]]:
        """Lay aside what waits for others, or for a person; return their outcomes, what has ended, and the records to publish."""
        resting = [one for one in tried if one.rests is not None]
        waiting = [one for one in tried if one.waits is not None]
        if not resting and not waiting:
            return [], list(tried), []
        await closing.lock_open(self._connection, sorted(_task_id(one) for one in tried))
        failed, records = await rest(self._connection, self._worker, resting, self._roads, self._clock())
        asked = await wait(self._connection, self._worker, waiting, self._roads, self._clock())
        ended = [one for one in tried if one.rests is None and one.waits is None]
        return ["rests"] * (len(resting) + len(waiting) - len(failed)), [*ended, *failed], [*records, *asked]

    async def _end(self, tried: Sequence[Tried]) -> tuple[list[EndOutcome], list[Outgoing]]:
        """End attempts, and the tasks for which that was the end; return the outcomes and the records to publish."""
        now = self._clock()
        doubted = await self._doubted([one.finish for one in tried])
        judged = [(one, judge(one.finish, _task_id(one) in doubted, now)) for one in tried]
        ends = [
            closing.AttemptEnd(one.finish.claimed.hold, one.finish.outcome, verdict.outcome if verdict else None)
            for one, verdict in judged
        ]
        won = await closing.end(self._connection, self._worker, ends)
        records: list[Outgoing] = []
        for one, verdict in judged:
            if one.finish.claimed.hold in won:
                records += finish_facts(await self._stored(one), verdict, self._roads, now)
        return [one.finish.outcome if one.finish.claimed.hold in won else "lost_lease" for one in tried], records

    async def _doubted(self, finishes: Sequence[Finish]) -> set[str]:
        """Return tasks whose attempt failed with a side effect in doubt; locks first, and all, for the order of locks."""
        failed = [one.claimed.hold for one in finishes if one.outcome != "completed"]
        if not failed:
            return set()
        await closing.lock_open(self._connection, [one.claimed.hold.task_id for one in finishes])
        return await ledger.in_doubt(self._connection, failed)

    async def _stored(self, one: Tried) -> Finish:
        """Return the finish, with a long output in the blob store."""
        if one.blob is None:
            return one.finish
        return replace(one.finish, output_sha256=await blob.put(self._connection, one.blob))

    def started(self, one: Claimed) -> Outgoing:
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


def _task_id(one: Tried) -> str:
    """Return the task that an attempt was for."""
    return one.finish.claimed.hold.task_id
