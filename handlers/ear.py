"""Takes what workers elsewhere say: signs of life renew the leases that they name, answers end attempts."""

from collections.abc import Collection, Sequence

from agents.pipelines.remote import settings_of
from bus.producer import Publisher
from events.request import AnnounceWorker, AnswerAttempt, BeatWorker, RefuseCommand
from events.wire import Incoming
from handlers import ordering, remote
from handlers.complaint import Complaints
from handlers.count import Count
from handlers.desk import Desk
from handlers.door import Door
from handlers.ending import Roads
from handlers.ordering import House
from handlers.remote import Heard, No, Rhythm
from handlers.workshop import Clock, seen
from store import closing, intake, ledger, outbox, room
from store import remote as rows
from store.claim import Hold
from store.intake import Claim
from store.postgres import Connection
from store.remote import Standing, Worker

_LOST = No("lease_lost", "epoch: the attempt is another worker's by now")
_REUSED = No("request_id_reused", "this request id was used before with another payload")


class Ear:
    """Takes what workers say, in the caller's transaction."""

    def __init__(
        self,
        house: House,
        roads: Roads,
        rhythm: Rhythm,
        clock: Clock,
        limit_bytes: int,
        count: Count,
        unsigned: Collection[str] = (),
    ) -> None:
        self._house, self._roads, self._rhythm, self._clock = house, roads, rhythm, clock
        self._limit_bytes, self._count = limit_bytes, count
        self._complaints = Complaints(roads.names, clock, count)
        self._door = Door(self._complaints, clock, unsigned)
        self._alive: dict[str, tuple[Worker, int, tuple[str, ...]]] = {}  # by holder: heard of since the last commit
        self._back: list[tuple[str, str]] = []

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Apply one batch. Tasks are locked before anything else, all at once: nobody waits in a ring."""
        heard = await self._door.let_in(connection, remote.hear(records, self._roads.names, self._limit_bytes))
        await self._answers(connection, [one for one in heard if isinstance(one.said, AnswerAttempt)])
        for one in heard:
            match one.said:
                case AnnounceWorker() | BeatWorker():
                    await self._sign(connection, one, one.said)
                case RefuseCommand():
                    await self._complaints.note(connection, one, one.said)

    async def committed(self, connection: Connection, publisher: Publisher) -> None:
        """Ring for what was taken back, and show who lives; call it after the commit."""
        back, self._back = self._back, []
        alive, self._alive = self._alive, {}
        await room.ring_all(connection, back)
        now = self._clock()
        signs = [seen(worker.holder, self._roads, agents, worker.capacity, busy, now) for worker, busy, agents in alive.values()]
        if signs:
            await publisher.publish(signs)

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
                await self._complaints.refuse(connection, one, no or _LOST)

    async def _ended(self, connection: Connection, holder: str, answer: AnswerAttempt, standing: Standing) -> bool:
        """End an attempt as its worker says; return whether it still was that worker's."""
        ask = ordering.ask_of(standing.claimed)
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
                await self._complaints.refuse(connection, one, _REUSED)
            else:
                self._count("bridge.repeated", 1)
        return fresh

    async def _sign(self, connection: Connection, heard: Heard, said: AnnounceWorker | BeatWorker) -> None:
        """Take a sign of life: note it, renew what it names, and say which of that is not the worker's any more."""
        worker = heard.worker
        if remote.is_late(heard, self._clock()):
            self._count("bridge.late_sign", 1)
            return
        agents = (await rows.specs(connection, [worker.pool])).get(worker.pool, [])
        if no := remote.granted(worker, said.pool, agents):
            await self._complaints.refuse(connection, heard, no)
            return
        await rows.hear(connection, worker)
        if isinstance(said, AnnounceWorker):
            self._back += await rows.take_back(connection, worker.holder)
            self._count("bridge.announced", 1)
        kept = await self._renewed(connection, heard, said)
        self._alive[worker.holder] = (worker, kept, tuple(sorted(agent.id for agent in agents)))

    async def _renewed(self, connection: Connection, heard: Heard, said: AnnounceWorker | BeatWorker) -> int:
        """Renew what a worker says that it is at, and tell it to drop what is not its own any more; return how many it kept."""
        worker = heard.worker
        held = [Hold(one.task_id, one.attempt, one.epoch) for one in getattr(said, "holding", ())]
        kept = await rows.renew(connection, worker.holder, held, self._rhythm.lease_s)
        gone = [ordering.drop(worker, hold) for hold in held if hold not in kept]
        now = self._clock()
        await outbox.put(connection, [self._house.told(one, worker.tenant, said.pool, heard.envelope, now) for one in gone])
        return len(kept)


def _settled(answer: AnswerAttempt) -> ledger.State:
    """Return what became of the side effect: a failure says that nothing happened, unless it says that nobody knows."""
    if answer.outcome == "completed":
        return "done"
    return "unknown" if answer.reason == "effect_unknown" else "refused"
