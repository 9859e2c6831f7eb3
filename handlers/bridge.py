"""The bridge to workers that live elsewhere: takes what they say, and gives them attempts, under the leases of all others.

Two loops. One folds the request topics for what workers say: signs of life renew the leases that they name, answers end
attempts, and what does not count is refused and recorded; rows, positions and records move in one transaction. The other
gives attempts to workers that were heard of just now and have room, each as a command on the topic of its pool, through the
outbox, in the transaction of the claim. As long as no agent lives elsewhere, it reads nothing.
"""

import asyncio
from asyncio import Event as Flag
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from msgspec import Struct

from agents.contract import admitted
from agents.errors import AgentFailed, EffectUnknown
from agents.pipelines.remote import settings_of
from bus.admin import provision
from bus.errors import WrongTopics
from bus.producer import MakePublisher, Publisher
from bus.reader import MakeReader, PartitionReader
from events.aside import dead_letter, refusal
from events.pool import elsewhere, is_elsewhere
from events.request import AnnounceWorker, AnswerAttempt, BeatWorker
from events.topics import REQUESTS, WORK, Names
from events.wire import Incoming, Outgoing
from handlers import remote, voucher
from handlers.attempt import Tried, failed
from handlers.count import Count
from handlers.desk import Desk
from handlers.dispatch import take_turn
from handlers.ending import Finish, Roads
from handlers.remote import Heard, No
from handlers.sieve import Sieve, Timer
from handlers.workshop import Clock, seen
from store import blob, claim, closing, intake, ledger, outbox, room, sender_key, work
from store import remote as rows
from store.claim import Claimed, Hold
from store.doorbell import Doorbell
from store.fold import DurableFold, MakeFold, Move
from store.follow import follow
from store.intake import Claim
from store.postgres import Connect, Connection, connect
from store.remote import Standing, Worker

CONSUMER = "bridge"  # stored beside the positions
SOURCE = "smolit/bridge"
_BELL = "smolit/bridge"
_BITE = 100
_FORGET_EVERY = 200  # rounds


class Rhythm(Struct, frozen=True):
    """Seconds: of a lease, between heartbeats, between two looks for work, and between two looks for agents elsewhere."""

    lease_s: float = 10.0
    heartbeat_s: float = 1.0
    poll_s: float = 0.25
    asleep_s: float = 1.0

    @property
    def patience_s(self) -> float:
        """Return how long a worker may be silent before it gets nothing more."""
        return 3 * self.heartbeat_s


class Ear:
    """Takes what workers say, in the caller's transaction."""

    def __init__(
        self, roads: Roads, rhythm: Rhythm, clock: Clock, limit_bytes: int, count: Count, unsigned: Collection[str] = ()
    ) -> None:
        self._roads, self._rhythm, self._clock = roads, rhythm, clock
        self._unsigned = unsigned
        self._limit_bytes, self._count = limit_bytes, count
        self._alive: dict[str, tuple[Worker, int, tuple[str, ...]]] = {}  # by holder: heard of since the last commit
        self._back: list[tuple[str, str]] = []
        self._complained: dict[tuple[str, str], datetime] = {}

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Apply one batch. Tasks are locked before anything else, all at once: nobody waits in a ring."""
        heard = await self._vouched(connection, remote.hear(records, self._roads.names, self._limit_bytes))
        await self._answers(connection, [one for one in heard if isinstance(one.said, AnswerAttempt)])
        for one in heard:
            if isinstance(one.said, AnnounceWorker | BeatWorker):
                await self._sign(connection, one)

    async def committed(self, connection: Connection, publisher: Publisher) -> None:
        """Ring for what was taken back, and show who lives; call it after the commit."""
        back, self._back = self._back, []
        alive, self._alive = self._alive, {}
        await room.ring_all(connection, back)
        now = self._clock()
        signs = [seen(worker.holder, self._roads, agents, worker.capacity, busy, now) for worker, busy, agents in alive.values()]
        if signs:
            await publisher.publish(signs)

    async def _vouched(self, connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Return what its source signed, and says for the first time; refuse the rest."""
        spoke = {(one.tenant, one.envelope.source) for one in heard}
        signers = {tenant: [voucher.signer_of(source) for whose, source in spoke if whose == tenant] for tenant, _ in spoke}
        keys = [row for tenant, some in sorted(signers.items()) for row in await sender_key.keys_of(connection, tenant, some)]
        good = []
        for one in heard:
            signer = voucher.signer_of(one.envelope.source)
            own = [row for row in keys if (row.tenant, row.sender) == (one.tenant, signer)]
            if no := voucher.unvouched(one, own, self._unsigned, self._clock()):
                await self._refuse(connection, one, no)
            else:
                good.append(one)
        return await self._first_said(connection, good)

    async def _first_said(self, connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Return what was not said before: a sign of life that is signed counts once. An answer is told by its claim."""
        signs = [one for one in heard if not isinstance(one.said, AnswerAttempt) and voucher.is_vouched_for(one)]
        once = {one.record.origin for one in signs}
        new = await rows.first_said(connection, [_word(one) for one in signs])
        good = []
        for one in heard:
            if one.record.origin in once and _word(one) not in new:
                await self._refuse(
                    connection, one, No("replayed", "ce_id: this was said before; each sign of life has its own id")
                )
                continue
            new.discard(_word(one))
            good.append(one)
        return good

    async def _answers(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """End the attempts that are answered, and refuse what does not count."""
        fresh = await self._fresh(connection, heard)
        if not fresh:
            return
        said = {one.record.origin: one.said for one in fresh if isinstance(one.said, AnswerAttempt)}
        await closing.lock_open(connection, sorted({one.task_id for one in said.values()}))
        standings = await rows.standings(connection, sorted({(one.task_id, one.attempt) for one in said.values()}))
        for one in fresh:
            answer = said[one.record.origin]
            key = (answer.task_id, answer.attempt)
            no = remote.judge(one, standings.get(key))
            if no is None and await self._ended(connection, one.worker.holder, answer, standings[key]):
                standings |= await rows.standings(connection, [key])
            else:
                await self._refuse(connection, one, no or No("lease_lost", "epoch: the attempt is another worker's by now"))

    async def _ended(self, connection: Connection, holder: str, answer: AnswerAttempt, standing: Standing) -> bool:
        """End an attempt as its worker says; return whether it still was that worker's."""
        ask = _ask(standing.claimed)
        if settings_of(standing.claimed.spec.settings).effects == "once":
            await ledger.settle(connection, ask, _settled(answer), {"outcome": answer.outcome})
        desk = Desk(connection, holder, self._roads, self._clock, self._rhythm.lease_s)
        (outcome,) = (await desk.turn([remote.tried(answer, standing)], None, 0)).outcomes
        self._count(f"bridge.{outcome}", 1)
        return outcome != "lost_lease"

    async def _fresh(self, connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Return answers that come for the first time: a repeat falls away, and a reused request id is refused."""
        if not heard:
            return []
        asked = [Claim(*remote.claim_of(one), one.record.origin, None) for one in heard]
        owners = await intake.claim(connection, asked)
        fresh = []
        for one, mine in zip(heard, asked, strict=True):
            origin, sha256 = owners[mine.request_key]
            if origin == mine.origin:
                fresh.append(one)
            elif sha256 != mine.payload_sha256:
                why = No("request_id_reused", "this request id was used before with another payload")
                await self._refuse(connection, one, why)
            else:
                self._count("bridge.repeated", 1)
        return fresh

    async def _sign(self, connection: Connection, heard: Heard) -> None:
        """Take a sign of life: note it, renew what it names, and say which of that is not the worker's any more."""
        said, worker = heard.said, heard.worker
        if isinstance(said, AnswerAttempt) or remote.is_late(heard, self._clock()):
            self._count("bridge.late_sign", 1)
            return
        agents = (await rows.specs(connection, [worker.pool])).get(worker.pool, [])
        if no := remote.granted(worker, said.pool, agents):
            await self._refuse(connection, heard, no)
            return
        await rows.hear(connection, worker, isinstance(said, AnnounceWorker))
        if isinstance(said, AnnounceWorker):
            self._back += await rows.take_back(connection, worker.holder)
            self._count("bridge.announced", 1)
        held = [Hold(one.task_id, one.attempt, one.epoch) for one in getattr(said, "holding", ())]
        kept = await rows.renew(connection, worker.holder, held, self._rhythm.lease_s)
        gone = [remote.drop(worker, hold) for hold in held if hold not in kept]
        topic = self._roads.names.work_of(worker.tenant, said.pool)
        records = [remote.told(one, topic, heard.envelope, SOURCE, self._clock()) for one in gone]
        await outbox.put(connection, records)
        self._alive[worker.holder] = (worker, len(kept), tuple(sorted(agent.id for agent in agents)))

    async def _refuse(self, connection: Connection, heard: Heard, no: No) -> None:
        """Record what does not count, and tell its sender; signs of life that come again and again, once a minute."""
        self._count(f"bridge.refused_{no.reason}", 1)
        now, key = self._clock(), (heard.worker.holder, no.reason)
        if isinstance(heard.said, BeatWorker):
            if now - self._complained.get(key, now - timedelta(days=1)) < timedelta(minutes=1):
                return
            if len(self._complained) > 10_000:  # whoever makes up names must not fill our memory
                self._complained.clear()
            self._complained[key] = now
        names = self._roads.names
        letter = dead_letter(heard.record, "work", heard.tenant, no.reason, no.detail, names, now)
        word = refusal(heard.record, heard.tenant, heard.envelope, no.reason, no.detail, names, now, SOURCE)
        await outbox.put(connection, [letter, word])


class Hand:
    """Gives attempts to workers elsewhere, and ends those that took too long."""

    def __init__(self, connection: Connection, roads: Roads, rhythm: Rhythm, clock: Clock, count: Count) -> None:
        self._connection, self._roads, self._rhythm = connection, roads, rhythm
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
                self._connection, worker.holder, None, most, self._rhythm.lease_s, worker.pool, room.bell_of(_BELL)
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
        ask = _ask(one)
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
        command = remote.order(one, worker, text, files, self._rhythm.lease_s, due)
        topic = self._roads.names.work_of(one.task.tenant, one.spec.pool or "")
        return remote.told(command, topic, one.cause, SOURCE, now)

    async def _end(self, one: Tried) -> None:
        """Write down how an attempt ended that nobody answered."""
        turn = await self._desk(one.finish.claimed.worker).turn([one], None, 0)
        for outcome in turn.outcomes:
            self._count(f"bridge.{outcome}", 1)

    def _desk(self, holder: str) -> Desk:
        return Desk(self._connection, holder, self._roads, self._clock, self._rhythm.lease_s)


def _word(heard: Heard) -> tuple[str, str, str]:
    """Return what names something that was said."""
    return heard.tenant, heard.envelope.source, heard.envelope.id


def _ask(claimed: Claimed) -> ledger.Ask:
    """Return the side effect that giving an attempt away may be."""
    effect = remote.effect_of(claimed)
    return ledger.Ask(claimed.hold, effect.step, remote.key_of(claimed), effect.target, effect.request_sha256, effect.idempotent)


def _settled(answer: AnswerAttempt) -> ledger.State:
    """Return what became of the side effect: a failure says that nothing happened, unless it says that nobody knows."""
    if answer.outcome == "completed":
        return "done"
    return "unknown" if answer.reason == "effect_unknown" else "refused"


async def run(
    kafka: str,
    dsn: str,
    tenants: Sequence[str],
    roads: Roads,
    rhythm: Rhythm,
    limit_bytes: int,
    replicas: int,
    stopped: Flag,
    clock: Clock,
    timer: Timer,
    count: Count,
    tell: Callable[[Sequence[str]], None],
    *,
    unsigned: Collection[str] = (),
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
    make_publisher: MakePublisher = Publisher,
    make_fold: MakeFold = DurableFold,
) -> None:
    """Be the bridge until told to stop, after standing by while another one is; any error ends it.

    Raises:
        Fenced: another process moved a position of ours.
    """
    async with AsyncExitStack() as stack:
        lines = [await _connect(connect, dsn, stack) for _ in range(2)]
        if not await take_turn(lines[0], roads.names, stopped, rhythm.asleep_s, CONSUMER):
            return
        topics = Topics(kafka, roads.names, replicas, tell, count)
        while not stopped.is_set() and not await topics.made_for(lines[1]):
            await _nap(stopped, rhythm.asleep_s)
        if stopped.is_set():
            return
        publisher, reader = make_publisher(kafka, CONSUMER), make_reader(kafka, CONSUMER)
        stack.push_async_callback(publisher.stop)
        stack.push_async_callback(reader.stop)
        await publisher.start()
        bell = await Doorbell.install(dsn, room.bell_of(_BELL), CONSUMER)
        stack.push_async_callback(bell.close)
        ear, hand = Ear(roads, rhythm, clock, limit_bytes, count, unsigned), Hand(lines[1], roads, rhythm, clock, count)
        fold = make_fold(CONSUMER, lines[0])
        asked = [roads.names.requests_of(tenant) for tenant in tenants]
        places = [(topic, part) for topic in asked for part in range(REQUESTS.partitions)]
        positions = await begun(fold, reader, places)

        async def committed() -> None:
            await ear.committed(lines[0], publisher)

        async with asyncio.TaskGroup() as group:
            group.create_task(
                follow(Sieve(reader, remote.urgency, timer), fold, positions, ear.apply, stopped.is_set, committed=committed)
            )
            group.create_task(_tend(hand, topics, lines[1], bell, rhythm, stopped))


class Topics:
    """The topics of pools that live elsewhere, made when the first agent is in one; `tell` hears of every pool.

    A topic that Kafka does not let us make is counted, and its pool gets nothing; all else goes on.
    """

    def __init__(self, kafka: str, names: Names, replicas: int, tell: Callable[[Sequence[str]], None], count: Count) -> None:
        self._kafka, self._names, self._replicas, self._tell, self._count = kafka, names, replicas, tell, count
        self.made: set[str] = set()
        self._refused: set[str] = set()
        self._told: tuple[str, ...] | None = None

    async def made_for(self, connection: Connection) -> bool:
        """Make what is missing; return whether there is any pool elsewhere."""
        pools = await work.pools(connection)
        if pools != self._told:
            self._told = pools
            self._tell(pools)
        labels = {label for label in pools if is_elsewhere(label)}
        for label in sorted(labels - self.made - self._refused):
            try:
                await provision(self._kafka, {self._names.work_of(*_parts(label)): WORK}, self._replicas)
                self.made.add(label)
            except WrongTopics:
                self._refused.add(label)
                self._count("bridge.no_topic", 1)
        return bool(labels & self.made)


def _parts(label: str) -> tuple[str, str]:
    """Return tenant and pool of a label."""
    tenant, _, pool = label.removeprefix(elsewhere("", "").rstrip("/")).partition("/")
    return tenant, pool


async def begun(fold: DurableFold, reader: PartitionReader, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return where to read on, with the reader there: what was said before anybody listened for the first time is passed over."""
    positions = await fold.positions(places)
    await reader.start(positions)
    new = [place for place, position in positions.items() if position == 0]
    if new:
        ends = await reader.ends()
        moves = [Move(*place, 0, ends[place]) for place in new if ends[place]]
        if moves:
            await fold.move(moves)
            positions |= {place: ends[place] for place in new}
            reader.turn_to(positions)
    return positions


async def _tend(hand: Hand, topics: Topics, connection: Connection, bell: Doorbell, rhythm: Rhythm, stopped: Flag) -> None:
    """Give and end, whenever it rings, and every so often."""
    while not stopped.is_set():
        await topics.made_for(connection)
        await hand.turn(topics.made)
        await bell.wait(rhythm.poll_s)


async def _connect(connect: Connect, dsn: str, stack: AsyncExitStack) -> Connection:
    connection = await connect(dsn, CONSUMER)
    stack.push_async_callback(connection.close)
    return connection


async def _nap(stopped: Flag, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await stopped.wait()
    except TimeoutError:
        return
