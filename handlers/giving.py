"""Gives attempts to workers elsewhere that were heard of just now and have room, and ends those that took too long."""

from collections.abc import Collection
from datetime import timedelta

from agents.contract import admitted
from agents.errors import AgentFailed, EffectUnknown
from agents.pipelines.remote import settings_of
from events.wire import Outgoing
from handlers import ordering
from handlers.attempt import Tried, failed
from handlers.count import Count
from handlers.desk import Desk
from handlers.ending import Finish, Roads
from handlers.ordering import House
from handlers.remote import Rhythm
from handlers.workshop import Clock
from store import blob, claim, ledger, outbox, room
from store import remote as rows
from store.claim import Claimed
from store.postgres import Connection
from store.remote import Worker

BELL = "smolit/bridge"
_BITE = 100
_FORGET_EVERY = 200  # rounds


class Hand:
    """Gives attempts, each as a command through the outbox, in the transaction of the claim."""

    def __init__(self, connection: Connection, house: House, roads: Roads, rhythm: Rhythm, clock: Clock, count: Count) -> None:
        self._connection, self._house, self._roads, self._rhythm = connection, house, roads, rhythm
        self._clock, self._count = clock, count
        self._rounds = 0

    async def turn(self, pools: Collection[str] | None = None) -> None:
        """Do one round, for these pools (None: all)."""
        self._rounds += 1
        if self._rounds % _FORGET_EVERY == 0:
            await rows.forget(self._connection)
        for late in await rows.overdue(self._connection, _BITE):
            detail = f"{late.claimed.spec.id} took longer than it may"
            finish = Finish(late.claimed, "timed_out", late.duration_us, reason="timed_out", detail=detail)
            await self._end(Tried(finish))
        for worker, room_left in await rows.free(self._connection, self._rhythm.patience_s):
            if (pools is None or worker.pool in pools) and await claim.any_queued(self._connection, worker.pool):
                await self._give(worker, room_left)

    async def _give(self, worker: Worker, most: int) -> None:
        """Claim for a worker, and tell it, in one transaction; what may not be begun again ends instead."""
        async with self._connection.transaction():
            claimed = await claim.claim(
                self._connection, worker.holder, None, most, self._rhythm.lease_s, worker.pool, room.bell_of(BELL)
            )
            refused = [(one, why) for one in claimed if (why := await self._why_not(one))]
            given = [one for one in claimed if all(one is not other for other, _ in refused)]
            await rows.give(self._connection, worker.holder, given)
            desk = self._desk(worker.holder)
            records = [record for one in given for record in (desk.started(one), await self._command(one, worker))]
            await outbox.put(self._connection, records)
        self._count("bridge.given", len(given))
        for one, why in refused:
            await self._end(failed(one, why, 0))

    async def _why_not(self, one: Claimed) -> AgentFailed | None:
        """Return why an attempt cannot be given away: an input that does not fit, or a side effect in doubt since before."""
        try:
            admitted(one.spec, one.task.input)
        except AgentFailed as failure:
            return failure
        if settings_of(one.spec.settings).effects != "once":
            return None
        ask = ordering.ask_of(one)
        entry = await ledger.begin(self._connection, ask)
        if entry is None or (entry.began and entry.state == "pending"):
            return None
        await ledger.settle(self._connection, ask, "unknown")
        return EffectUnknown(f"a worker of pool {one.spec.pool} had begun this, and takes no key")

    async def _command(self, one: Claimed, worker: Worker) -> Outgoing:
        """Return the command to do an attempt."""
        text = one.task.text
        if text is None:
            text = (await blob.get(self._connection, one.task.text_sha256)).decode("utf-8", "replace")
        files = {file.sha256: await blob.get(self._connection, file.sha256) for file in one.task.files}
        now = self._clock()
        due = min(now + timedelta(seconds=one.spec.timeout_s), one.task.deadline)
        command = ordering.order(one, worker, text, files, self._rhythm.lease_s, due)
        return self._house.told(command, one.task.tenant, one.spec.pool or "", one.cause, now)

    async def _end(self, one: Tried) -> None:
        """Write down how an attempt ended that nobody answered."""
        turn = await self._desk(one.finish.claimed.worker).turn([one], None, 0)
        for outcome in turn.outcomes:
            self._count(f"bridge.{outcome}", 1)

    def _desk(self, holder: str) -> Desk:
        return Desk(self._connection, holder, self._roads, self._clock, self._rhythm.lease_s)
