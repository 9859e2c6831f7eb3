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
from msgspec.structs import replace

from bus.producer import Publisher
from events.aside import dead_letter, refusal
from events.event import Event, Fact
from events.knowledge_request import AddDocument, ClearDomain, CreateDomain, Reindex, RemoveDocument
from events.request import (
    OF_WORKERS,
    AnswerApproval,
    CancelTask,
    ForgetMemory,
    ForgetTask,
    GiveFeedback,
    RegisterKey,
    Remember,
    ReviseFeedback,
    RevokeKey,
    SendMessage,
    SubmitTask,
)
from events.stamp import stamp
from events.task import Features, Sentiment, TaskAdmitted, TaskEnded, TaskSubmitted
from events.topics import Names
from events.wire import Incoming, Outgoing, encode
from store import blob, sender_key
from store import intake as claims
from store.fold import DurableFold
from store.postgres import Connection
from store.snapshot import newest
from streams.about_knowledge import KnowledgeRequest, knowledge_fact
from streams.admission import Reading, Refused, Rules, facts_about_task, wants_sentiment
from streams.admitting import Accepted, Admitting, Reader, Submission, Told
from streams.approving import approval_fact
from streams.change import CHANGES, control_fact
from streams.chooser import Chooser
from streams.claiming import claimed
from streams.elsewhere import for_intake
from streams.errors import BatchBefore
from streams.files import take_in
from streams.inspection import Healthy, Sick, inspect
from streams.positions import Positions
from streams.speech import key_fact, revoked_fact, speech_fact

SOURCE = "smolit/intake"
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
        self._connection: Connection  # for claims and texts
        self._moving: Connection  # for positions
        self._positions: Positions

    async def start(self) -> None:
        """Connect; read what is in force, who is live and what was learned, to the ends seen now."""
        self._connection = await self._connect()
        self._moving = await self._connect()
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
        told = [await self._told(one, foreseen[one.record.origin], submitted) for one in part]
        return [record for one in told for record in (self._refused(one) if isinstance(one, Sick) else self._accepted(one))]

    async def _told(self, one: Healthy | Sick, foreseen: Foreseen, submitted: Mapping[str, Told]) -> Told:
        """Return the facts of a request, or why there are none."""
        if isinstance(one, Sick):
            return one
        match one.asked.request:
            case SubmitTask() as request:
                return await self._kept(submitted[one.record.origin], one, request)
            case CancelTask() | ForgetTask() | GiveFeedback() | ReviseFeedback() as request:
                return await self._about_task(one, request, foreseen)
            case AddDocument() | RemoveDocument() | CreateDomain() | ClearDomain() | Reindex() as request:
                return await self._about_knowledge(one, request)
            case SendMessage() | Remember() | ForgetMemory() as request:
                return Accepted(one, (speech_fact(one.asked, request, self._features),))
            case RegisterKey() | RevokeKey() as request:
                return await self._key(one, request)
            case AnswerApproval() as request:
                return self._answer(one, request)
            case _:
                return one.refused("unknown_request", f"{one.asked.request.event_type.name} cannot be asked for")

    async def _about_task(
        self, one: Healthy, request: CancelTask | ForgetTask | GiveFeedback | ReviseFeedback, foreseen: Foreseen
    ) -> Told:
        """Return the fact of a request about a task, or why there is none."""
        sentiment = await foreseen.sentiment if foreseen.sentiment else None
        try:
            return Accepted(one, (facts_about_task(one.asked, request, sentiment),))
        except Refused as error:
            return one.refused(error.reason, str(error))

    def _answer(self, one: Healthy, request: AnswerApproval) -> Told:
        """Return that the operator answered a question of an agent, or why not."""
        try:
            return Accepted(one, (approval_fact(one.asked, request, self._operator(one.asked.tenant)),))
        except Refused as error:
            return one.refused(error.reason, str(error))

    async def _key(self, one: Healthy, request: RegisterKey | RevokeKey) -> Told:
        """Keep or revoke a key before its fact is published, or say why not: no message comes before the key that signed it."""
        known = await sender_key.keys_of(self._connection, one.asked.tenant, [request.sender])
        operator = self._operator(one.asked.tenant)
        try:
            if isinstance(request, RevokeKey):
                gone = revoked_fact(one.asked, request, known, operator)
                await sender_key.revoke(self._connection, gone.tenant, gone.sender, gone.key_id)
                return Accepted(one, (gone,))
            fact = key_fact(one.asked, request, known, operator)
        except Refused as error:
            return one.refused(error.reason, str(error))
        row = sender_key.KeyRow(fact.tenant, fact.sender, fact.key_id, fact.public_key, fact.scope, fact.replaces, None)
        await sender_key.put(self._connection, row)
        return Accepted(one, (fact,))

    async def _kept(self, told: Told, one: Healthy, request: SubmitTask) -> Told:
        """Store a long text and files once, by their hash, before a fact refers to them."""
        if not (isinstance(told, Accepted) and isinstance(first := told.facts[0], TaskSubmitted)):
            return told
        if first.text is None:
            await blob.put(self._connection, request.text.encode())
        if not request.files:
            return told
        try:
            files = await take_in(self._connection, one.asked.tenant, request.files, self._file_limit)
        except Refused as error:
            return one.refused(error.reason, str(error))
        return Accepted(one, (replace(first, files=files), *told.facts[1:]))

    async def _about_knowledge(self, one: Healthy, request: KnowledgeRequest) -> Told:
        """Return the fact of a request about knowledge, once its bytes are stored, or why there is none."""
        try:
            fact = knowledge_fact(one.asked, request)
        except Refused as error:
            return one.refused(error.reason, str(error))
        if isinstance(request, AddDocument) and request.content is not None:
            await blob.put(self._connection, request.content)
        return Accepted(one, (fact,))

    def _accepted(self, told: Accepted) -> list[Outgoing]:
        self.outcomes["accepted"] += 1
        if isinstance(told.request.asked.request, SubmitTask):
            self.outcomes["nobody_fits" if isinstance(told.facts[-1], TaskEnded) else "chosen"] += 1
        return self._story(told.facts, told.request)

    async def _in_force(self, one: Healthy) -> list[Outgoing]:
        """Return the records of a request that changes what is in force; decided once, also across a crash."""
        before = await claims.decided(self._connection, one.claim.request_key)
        if before is not None:
            return msgspec.msgpack.decode(before, type=list[Outgoing])
        try:
            fact = control_fact(one.asked, self._control.control, self._rules, self._features, self._chooser.networks)
            records = self._story([fact], one)
            self.outcomes["accepted"] += 1
        except Refused as error:
            records = self._refused(one.refused(error.reason, str(error)))
        await claims.decide(self._connection, one.claim.request_key, msgspec.msgpack.encode(records))
        return records

    def _features(self, text: str) -> Features:
        return self._reader.read(text).features

    def _story(self, facts: Sequence[Fact], one: Healthy) -> list[Outgoing]:
        """Return the records of what follows from a request: a choice follows from the admission before it."""
        now, by, records = self._clock(), one.asked.envelope, []
        for fact in facts:
            correlation = _story_of(fact) or one.claim.request_key
            event: Event[Fact] = stamp(
                fact, source=SOURCE, now=now, correlation=correlation, cause=by.id, traceparent=by.traceparent
            )
            records.append(encode(self._names.of(fact.event_type.topic), event))
            by = event.envelope if isinstance(fact, TaskAdmitted) else by
        return records

    def _refused(self, sick: Sick) -> list[Outgoing]:
        """Return the dead letter and the answer of a refused request."""
        self.outcomes[f"refused_{sick.reason}"] += 1
        tenant, now = self._names.tenant_of(sick.record.topic), self._clock()
        return [
            dead_letter(sick.record, "intake", tenant, sick.reason, sick.detail, self._names, now),
            refusal(sick.record, tenant, sick.envelope, sick.reason, sick.detail, self._names, now),
        ]


def _story_of(fact: Fact) -> str | None:
    """Return what ties a fact's story together where that is not the request: its task, or its conversation."""
    return getattr(fact, "task_id", None) or getattr(fact, "conversation_id", None)


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
