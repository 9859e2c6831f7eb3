"""Reindex: makes vectors of another encoder beside those that serve, out of the log, and lets them serve when all are there."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bus.reader import MakeReader, PartitionReader
from events.event import Envelope, Event, Fact
from events.knowledge import DocumentChunked, IndexSwitched, ReindexBegun
from events.stamp import caused
from events.topics import KNOWLEDGE
from events.wire import Incoming, encode
from handlers.count import Count
from handlers.ingest import SOURCE, Means, fact_in
from handlers.nap import nap
from handlers.taking_in import embedded
from store import knowledge, outbox
from store.knowledge import Embedding, Known
from store.postgres import Connect, Connection, connect

NAME = "reindex"
LOOK_S = 2.0
_READS = DocumentChunked.event_type.wire_names | ReindexBegun.event_type.wire_names


async def run(
    kafka: str,
    dsn: str,
    means: Means,
    stopped: asyncio.Event,
    count: Count,
    look_s: float = LOOK_S,
    *,
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
) -> None:
    """Look now and then whether vectors are to be made, and make them; call it where `ingest` runs alone."""
    connection = await connect(dsn, NAME)
    try:
        while not stopped.is_set():
            for one in await knowledge.encoders(connection):
                if one.state == "building":
                    await _Build(means, one, connection, count).run(make_reader(kafka, NAME), stopped)
            await nap(stopped, look_s)
    finally:
        await connection.close()


class _Build:
    """One encoder's vectors, from where a process before came to."""

    def __init__(self, means: Means, one: Embedding, connection: Connection, count: Count) -> None:
        self._means, self._one, self._connection, self._count = means, one, connection, count

    async def run(self, reader: PartitionReader, stopped: asyncio.Event) -> None:
        """Read the log up to where the encoder was begun, and embed what lacks its vectors."""
        place = (self._means.names.of(KNOWLEDGE), 0)
        try:
            await reader.start({place: self._one.next})
            while not stopped.is_set():
                if await self._took(await reader.fetch(limit=50)):
                    return
        finally:
            await reader.stop()

    async def _took(self, records: Sequence[Incoming]) -> bool:
        """Take in some records; return whether the beginning was reached, so that all vectors are there."""
        events = [event for record in records if (event := fact_in(record, _READS)) is not None]
        begun = next((one for one in events if self._is_beginning(one.fact)), None)
        before = events[: events.index(begun)] if begun else events
        facts = await self._embedded(before)
        behind = records[-1].offset + 1 if records else self._one.next
        async with self._connection.transaction():
            for cause, fact in facts:
                await outbox.put(self._connection, [encode(self._topic, caused(fact, cause, source=SOURCE, now=self._now()))])
            if begun is not None:
                await self._switch(begun.envelope)
            elif records:
                self._one = msgspec.structs.replace(self._one, next=behind)
                await knowledge.put_encoder(self._connection, self._one)
        self._count("reindex.embedded", len(facts))
        return begun is not None

    async def _embedded(self, events: Sequence[Event[Fact]]) -> list[tuple[Envelope, Fact]]:
        """Return the vectors of chunks that are found, and lack some."""
        told = [event for event in events if self._wants(event.fact)]
        ids = sorted({event.fact.document_id for event in told if isinstance(event.fact, DocumentChunked)})
        there = await knowledge.known(self._connection, self._one.tenant, ids) if ids else {}
        encoder = await self._means.encoders.get(self._one.kind)
        found: list[tuple[Envelope, Fact]] = []
        for event in told:
            fact = event.fact
            if isinstance(fact, DocumentChunked) and _is_found(there.get(fact.document_id), fact.version):
                found.append((event.envelope, await asyncio.to_thread(embedded, fact, encoder)))
        return found

    async def _switch(self, cause: Envelope) -> None:
        """Let the vectors serve."""
        fact = IndexSwitched(
            tenant=self._one.tenant, encoder=self._one.encoder, kind=self._one.kind, request_id=self._one.request_id
        )
        await outbox.put(self._connection, [encode(self._topic, caused(fact, cause, source=SOURCE, now=self._now()))])
        await knowledge.serve(self._connection, msgspec.structs.replace(self._one, state="serving", next=0))
        self._count("reindex.switched", 1)

    def _wants(self, fact: Fact) -> bool:
        if not isinstance(fact, DocumentChunked) or fact.tenant != self._one.tenant:
            return False
        return bool(fact.chunks) and self._one.encoder not in fact.vectors

    def _is_beginning(self, fact: Fact) -> bool:
        return isinstance(fact, ReindexBegun) and fact.tenant == self._one.tenant and fact.request_id == self._one.request_id

    @property
    def _topic(self) -> str:
        return self._means.names.of(KNOWLEDGE)

    def _now(self) -> datetime:
        return self._means.clock()


def _is_found(one: Known | None, version: int) -> bool:
    """Say whether a version is the one that is there."""
    return one is not None and one.state == "live" and one.version == version
