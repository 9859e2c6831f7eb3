"""Intake: checks what outsiders ask, and turns each request into facts, once.

A durable fold over the request topics. A batch claims its request keys in Postgres first; who owns a key becomes facts,
also when it is read again after a crash, since facts have derived ids. Every other record with the key is a repeat, or
is refused when its payload differs. A refused request becomes a dead letter and a record on `answers`, never a fact.

Batches overlap: while the broker is still writing one, the next claims its keys. Each hands over its records in its turn.
Positions move behind them, on a connection of their own. What becomes of a batch's submissions is worked out beside its claim.

A task's first choice is made here, too, and published with its admission: a way through Kafka less, and nobody who
waits for it is woken twice (docs/decisions/028-chosen-where-admitted.md).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bus.producer import Publisher
from events.request import OF_WORKERS, ForgetTask, GiveFeedback, ReviseFeedback, SubmitTask
from events.task import Features, Sentiment
from events.topics import Names
from events.wire import Incoming, Outgoing
from store import intake as claims
from store.fold import DurableFold
from store.postgres import Connection
from store.snapshot import newest
from streams.admission import Reading, Refused, Rules, wants_sentiment
from streams.admitting import Admitting, Reader, Submission, Told
from streams.change import CHANGES, control_fact
from streams.chooser import Chooser
from streams.claiming import claimed
from streams.elsewhere import for_intake
from streams.errors import BatchBefore
from streams.inspection import Healthy, Sick, inspect
from streams.positions import Positions
from streams.records import Records
from streams.telling import Telling

# An encoder's thread is always ready to run: with one, a core that others leave idle for a moment stays idle (058).
READERS = 2
# They may come with the next request: each way costs all who follow.
NOBODY_WAITS = (GiveFeedback, ReviseFeedback, ForgetTask, *OF_WORKERS)
Feel = Callable[[str], Sentiment | None]  # what a comment sounds like, if that can be told; as slow


class Foreseen(NamedTuple):
    """What a record is, and what a thread was given to read for it."""

    judged: Healthy | Sick
    reading: "asyncio.Future[Reading] | None" = None
    sentiment: "asyncio.Future[Sentiment | None] | None" = None


class Intake:
    """The processor: inspect, claim, read, publish, move on."""

    name = "intake"
    wants: frozenset[str] = frozenset()  # every record of a request topic gets an answer
    batch = 16
    gather_s = 0.0
    overlap = 16

    def __init__(
        self,
        *,
        names: Names,
        tenants: Sequence[str],
        rules: Rules,
        reader: Reader,
        feel: Feel,
        inline_limit_bytes: int,
        file_limit_bytes: int,
        clock: Callable[[], datetime],
        connect: Callable[[], Awaitable[Connection]],
        publisher: Publisher,
        chooser: Chooser,
        fold: Callable[[str, Connection], DurableFold] = DurableFold,
        operator: Callable[[str], str] = lambda _tenant: "",
    ) -> None:
        self._operator = operator  # public key of who may let workers sign, by tenant
        self.topics = tuple(names.requests_of(tenant) for tenant in tenants)
        self.outcomes: Counter[str] = Counter()
        self._names, self._rules, self._clock = names, rules, clock
        self._reader, self._feel = reader, feel
        self._inline_limit, self._file_limit = inline_limit_bytes, file_limit_bytes
        self._connect, self._publisher, self._make_fold = connect, publisher, fold
        self._chooser, self._control = chooser, chooser.control
        self._admitting = Admitting(chooser, reader, rules, clock)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reading")  # begun in order: who came first is ready first
        self._seen: dict[str, Foreseen] = {}  # by origin, until its turn
        self._turn = asyncio.Lock()  # of a batch: to claim, to choose, to hand over
        self._failed = False
        self._make = Records(names, clock, self.outcomes)
        self._telling: Telling  # once connected
        self._connection: Connection  # for claims and texts
        self._moving: Connection  # for positions
        self._positions: Positions

    async def start(self) -> None:
        """Connect; read what is in force, who is live and what was learned, to the ends seen now."""
        self._connection = await self._connect()
        self._moving = await self._connect()
        self._telling = Telling(
            self._connection, features=self._features, operator=self._operator, file_limit_bytes=self._file_limit
        )
        self._positions = Positions(self._make_fold("intake", self._moving))
        await self._publisher.start()
        await self._chooser.start(await newest(self._connection))

    async def stop(self) -> None:
        """Disconnect."""
        await self._chooser.stop()
        await self._publisher.stop()
        await self._moving.close()
        await self._connection.close()
        self._readers.shutdown(wait=False, cancel_futures=True)

    def assigned(self) -> None:
        """Read positions anew: another process may have moved them. Of records that came before, some may never have a turn."""
        self._positions.forget()
        self._seen.clear()

    def foresee(self, record: Incoming) -> bool:
        """Look at a record, and let a thread read a text that takes long: it is done when those before it are published."""
        one = inspect(record, self._names.tenant_of(record.topic), self._inline_limit)
        self._seen[record.origin] = self._begun(one)
        return isinstance(one, Sick) or not isinstance(one.asked.request, NOBODY_WAITS)

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Turn a batch into facts and refusals, and return when the broker has them.

        Raises:
            BatchBefore: one before it failed; this one was not begun.
        """
        try:
            async with self._turn:
                if self._failed:
                    raise BatchBefore("a batch before this one failed")
                published = await self._begin(batch)
            await published
        except BaseException:
            self._failed = True  # before anybody else has the turn: what lies behind may depend on what did not come about
            raise

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Move the positions past a batch."""
        if fresh := await self._positions.fresh(batch):
            await self._positions.move(fresh)  # intake's rows are its claims; nothing else is left to write

    async def _begin(self, batch: Sequence[Incoming]) -> "asyncio.Task[Any]":
        """Claim, choose, hand over; what is returned ends when the broker has everything."""
        self._chooser.check()
        foreseen = {record.origin: self._foreseen(record) for record in batch}
        fresh = [foreseen[record.origin].judged for record in await self._positions.fresh(batch)]
        judged = [one for each in fresh if (one := for_intake(each, self._control.control)) is not None]
        work, ahead = await asyncio.gather(
            claimed(self._connection, judged, self.outcomes), self._thought_ahead(judged, foreseen)
        )
        return asyncio.create_task(self._publisher.publish(await self._settled(work, foreseen, ahead)))

    def _foreseen(self, record: Incoming) -> Foreseen:
        """Return what a record is, and what was begun when it came."""
        if record.origin not in self._seen:
            self.foresee(record)
        return self._seen.pop(record.origin)

    def _begun(self, one: Healthy | Sick) -> Foreseen:
        """Let a thread read the text of a submission, and a comment that only a model can make a number of."""
        if isinstance(one, Sick):
            return Foreseen(one)
        loop = asyncio.get_running_loop()
        match one.asked.request:
            case SubmitTask(text=text) if not self._reader.quick(text):
                return Foreseen(one, reading=loop.run_in_executor(self._readers, self._reader.read, text))
            case GiveFeedback() | ReviseFeedback() as request if (comment := wants_sentiment(request)) is not None:
                return Foreseen(one, sentiment=loop.run_in_executor(self._readers, self._feel, comment))
            case _:
                return Foreseen(one)

    async def _thought_ahead(self, judged: Sequence[Healthy | Sick], foreseen: Mapping[str, Foreseen]) -> Mapping[str, Told]:
        """Return what becomes of the batch's submissions, by origin; of none where the batch itself changes what is in force."""
        return {} if any(_changes(one) for one in judged) else await self._admitting.told(_submissions(judged, foreseen))

    async def _settled(
        self, work: Sequence[Healthy | Sick], foreseen: Mapping[str, Foreseen], ahead: Mapping[str, Told]
    ) -> list[Outgoing]:
        """Return what is to be published, in order; what changes what is in force is published and folded before the rest."""
        part: list[Healthy | Sick] = []
        for one in work:
            if isinstance(one, Healthy) and _changes(one):
                await self._publisher.publish(await self._records(part, foreseen, ahead))
                part = []
                await self._control.reach_published(await self._publisher.publish(await self._in_force(one)))
            else:
                part.append(one)
        return await self._records(part, foreseen, ahead)

    async def _records(
        self, part: Sequence[Healthy | Sick], foreseen: Mapping[str, Foreseen], ahead: Mapping[str, Told]
    ) -> list[Outgoing]:
        """Return the records of requests between two changes of what is in force, in order, whatever becomes of them."""
        submitted = ahead or await self._admitting.told(_submissions(part, foreseen))
        told = [await self._told(one, submitted, foreseen) for one in part]
        return [record for one in told for record in self._make.of(one)]

    async def _told(self, one: Healthy | Sick, submitted: Mapping[str, Told], foreseen: Mapping[str, Foreseen]) -> Told:
        """Return what becomes of a request, with what was begun for it when it came."""
        origin = one.record.origin
        return one if isinstance(one, Sick) else await self._telling.told(one, submitted.get(origin), foreseen[origin].sentiment)

    async def _in_force(self, one: Healthy) -> list[Outgoing]:
        """Return the records of a request that changes what is in force; decided once, also across a crash."""
        before = await claims.decided(self._connection, one.claim.request_key)
        if before is not None:
            return msgspec.msgpack.decode(before, type=list[Outgoing])
        try:
            fact = control_fact(one.asked, self._control.control, self._rules, self._features, self._chooser.networks)
            records = self._make.story([fact], one)
        except Refused as error:
            records = self._make.refused(one.refused(error.reason, str(error)))
        await claims.decide(self._connection, one.claim.request_key, msgspec.msgpack.encode(records))
        return records

    def _features(self, text: str) -> Features:
        return self._reader.read(text).features


def _changes(one: Healthy | Sick) -> bool:
    """Return whether a request changes what is in force."""
    return isinstance(one, Healthy) and isinstance(one.asked.request, CHANGES)


def _submissions(part: Sequence[Healthy | Sick], foreseen: Mapping[str, Foreseen]) -> list[Submission]:
    """Return the requests for tasks, with what is being read out of their texts."""
    return [
        Submission(one, one.asked.request, foreseen[one.record.origin].reading)
        for one in part
        if isinstance(one, Healthy) and isinstance(one.asked.request, SubmitTask)
    ]
