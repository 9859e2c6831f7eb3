"""The way in for everybody on our side of the fence: requests to Kafka, and what became of them.

A request is acknowledged when the broker has it. Whether it came into force is told by a fact that it caused, or by a
refusal on `answers`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from msgspec import Struct

from bus.producer import Publisher
from bus.reader import PartitionReader, Place, ends_of
from events.answer import AnswerGiven, RequestRefused
from events.errors import EventError
from events.event import Envelope, Event, Fact, Message
from events.ids import new_id, task_id
from events.request import Request, SubmitTask
from events.topics import ANSWERS, CONTROL_TOPICS, CONVERSATIONS, TASKS, Names, Topic
from events.wire import Incoming, Outgoing, decode, encode
from smolit.errors import RequestRefused as Refused
from smolit.errors import UsageInvalid

Clock = Callable[[], datetime]
Entropy = Callable[[int], bytes]
Answer = AnswerGiven | RequestRefused

EFFECT_S = 30.0  # how long a request may take to come into force before we stop waiting for it
_CLIENT_ID = "smolit-client"


class Ask(Struct, frozen=True):
    """A request, and the id that it has if it must be this one: sent twice under one id, it counts once."""

    request: Request
    request_id: str | None = None


class Sent(Struct, frozen=True):
    """A request that the broker has; `task_id` is the task that a submission creates."""

    request_id: str
    task_id: str | None


class Origin(Struct, frozen=True):
    """Who asks: the tenant decides the topic, the source stands in every request."""

    names: Names
    tenant: str
    source: str


class Client:
    """Sends requests as one tenant and one source."""

    def __init__(self, kafka: str, origin: Origin, clock: Clock, entropy: Entropy) -> None:
        self._kafka, self._origin, self._clock, self._entropy = kafka, origin, clock, entropy
        self._publisher = Publisher(kafka, _CLIENT_ID)

    async def __aenter__(self) -> "Client":
        """Connect; raises KafkaUnreachable."""
        await self._publisher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._publisher.stop()

    async def send(self, asks: Sequence[Ask]) -> list[Sent]:
        """Send requests and return once the broker has all of them.

        Raises:
            UsageInvalid: a field of a request does not fit; none was sent.
        """
        ids = [ask.request_id or new_id(self._clock(), self._entropy(10)) for ask in asks]
        records = [self.record(ask.request, request_id) for ask, request_id in zip(asks, ids, strict=True)]
        await self._publisher.publish(records)
        return [self._sent(ask.request, request_id) for ask, request_id in zip(asks, ids, strict=True)]

    async def effect(self, ask: Ask, timeout_s: float = EFFECT_S) -> Event[Fact]:
        """Send a request and return the fact that it caused.

        Raises:
            RequestRefused: it was refused, or nothing came of it in time.
        """
        async with from_here(self._kafka, self._origin.names, (ANSWERS, TASKS, CONVERSATIONS, *CONTROL_TOPICS)) as reader:
            sent = (await self.send([ask]))[0]
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._effect_of(reader, sent.request_id)
            except TimeoutError:
                raise Refused(
                    f"nothing came of the request within {timeout_s:.0f} s; it lies in Kafka and counts once intake runs "
                    "(`smolit status` shows whether it does)"
                ) from None

    async def answers(self, reader: PartitionReader, request_ids: Iterable[str]) -> AsyncIterator[Event[Answer]]:
        """Yield the answer of each request as it comes, until every one has its own; `reader` follows `answers`."""
        waiting = set(request_ids)
        while waiting:
            for event in events_in(await reader.fetch()):
                fact = event.fact
                if isinstance(fact, AnswerGiven | RequestRefused) and self._is_ours(fact) and fact.request_id in waiting:
                    waiting.remove(fact.request_id)
                    yield Event(event.envelope, fact)

    def record(self, request: Request, request_id: str) -> Outgoing:
        """Return the record of a request; a submission is keyed by its own id, so that all partitions take their share."""
        envelope = Envelope(
            id=request_id,
            source=self._origin.source,
            subject=request.key,
            time=self._clock(),
            correlation_id=request_id,
            causation_id=request_id,
        )
        made = encode(self._origin.names.requests_of(self._origin.tenant), Event(envelope, checked(request)))
        return msgspec.structs.replace(made, key=request_id.encode()) if isinstance(request, SubmitTask) else made

    async def _effect_of(self, reader: PartitionReader, request_id: str) -> Event[Fact]:
        """Return the first fact that a request caused; raises RequestRefused if it was refused."""
        while True:
            for event in events_in(await reader.fetch()):
                fact = event.fact
                if isinstance(fact, RequestRefused) and self._is_ours(fact) and fact.request_id == request_id:
                    raise Refused(f"refused: {fact.detail} ({fact.reason})")
                if isinstance(fact, Fact) and event.envelope.causation_id == request_id:
                    return Event(event.envelope, fact)

    def _is_ours(self, fact: Answer) -> bool:
        return fact.tenant == self._origin.tenant and fact.requested_by == self._origin.source

    def _sent(self, request: Request, request_id: str) -> Sent:
        named = task_id(self._origin.tenant, self._origin.source, request_id)
        return Sent(request_id, named if isinstance(request, SubmitTask) else None)


def checked(request: Request) -> Request:
    """Return a request whose fields fit; raises UsageInvalid, which names the one that does not."""
    try:
        return msgspec.convert(msgspec.to_builtins(request), type(request))
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UsageInvalid(f"{request.event_type.name}: {error}") from error


async def ends(kafka: str, places: Iterable[Place]) -> dict[Place, int]:
    """Return the end of each partition as of now: the offset of the next record."""
    return await ends_of(kafka, _CLIENT_ID, places)


def places_of(names: Names, topics: Iterable[Topic]) -> list[Place]:
    """Return every partition of topics."""
    return names.places(*topics)


@asynccontextmanager
async def from_here(kafka: str, names: Names, topics: Iterable[Topic]) -> AsyncIterator[PartitionReader]:
    """Yield a reader of topics that begins with what comes after now."""
    async with reading(kafka, await ends(kafka, places_of(names, topics))) as reader:
        yield reader


@asynccontextmanager
async def reading(kafka: str, positions: dict[Place, int]) -> AsyncIterator[PartitionReader]:
    """Yield a reader that begins at the given positions."""
    reader = PartitionReader(kafka, _CLIENT_ID)
    await reader.start(positions)
    try:
        yield reader
    finally:
        await reader.stop()


def events_in(records: Iterable[Incoming]) -> Iterable[Event[Message]]:
    """Yield the events in records; what is none has its dead letter elsewhere and answers nobody."""
    for record in records:
        try:
            yield decode(record.headers, record.value)
        except EventError:
            continue
