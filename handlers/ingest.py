"""Ingest: decides what becomes of documents, in the order in which they were asked for, and tells it with all chunks and vectors.

It reads `knowledge`, where intake puts what is asked, and puts what came of it behind. What takes long (vectors, a stranger's
file) happens outside any transaction; position, state and facts then move together, so a kill costs one document's work and
tells nothing twice. Beside that, `handlers/reindex.py` makes vectors of another encoder.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from agents.document import contained
from agents.document.chunk import CountTokens, Cut
from agents.document.errors import DocumentUnreadable
from agents.vectors import Encoders
from bus.reader import MakeReader, PartitionReader
from events.errors import EventError
from events.event import Event, Fact
from events.knowledge import (
    ASKED,
    ClearingRequested,
    DocumentRefused,
    DocumentRemoved,
    DocumentSubmitted,
    DomainCleared,
    DomainCreated,
    EncoderKind,
    IndexSwitched,
    ReindexBegun,
    ReindexRequested,
    RemovalRequested,
)
from events.stamp import caused
from events.topics import KNOWLEDGE, Names
from events.wire import Incoming, decode, encode, event_type
from handlers.count import Count
from handlers.taking_in import MOST_CHUNKS, facts_of, pieces, told_digest
from handlers.turn import take_turn
from learning.encoding import EncoderMissing
from store import blob, knowledge, outbox
from store.blob import BlobMissing
from store.fold import DurableFold, MakeFold, Move
from store.knowledge import DocumentState, Embedding, Known
from store.postgres import Connect, Connection, connect

CONSUMER = "ingest"  # stored beside the positions
SOURCE = "smolit/ingest"
MOST_BYTES = 50_000_000
_ASKED = frozenset(name for cls in ASKED for name in cls.event_type.wire_names)


class Means(Struct, frozen=True):
    """What ingest works with: topic names, time, encoders and the usual one, how texts are cut and their language told."""

    names: Names
    clock: Callable[[], datetime]
    encoders: Encoders
    usual: EncoderKind
    count_tokens: Callable[[], CountTokens]
    language: Callable[[str], str]
    cut: Cut = Cut()


class Outcome(Struct, frozen=True):
    """What is to be told of one request, and how documents, domains and encoders stand then."""

    facts: Sequence[Fact]
    documents: Sequence[Known] = ()
    domain: str | None = None
    embedding: Embedding | None = None
    gone: Sequence[str] = ()  # digests of bytes that may be deleted


class Ingest:
    """Decides on one request after the other."""

    def __init__(self, means: Means, count: Count) -> None:
        self._means = means
        self._count = count

    async def outcome(self, connection: Connection, event: Event[Fact]) -> Outcome:
        """Return what comes of a request; no transaction is open meanwhile, and nobody else changes what is read here."""
        match event.fact:
            case DocumentSubmitted() as fact:
                return await self._submitted(connection, fact)
            case RemovalRequested() as fact:
                return await self._removal(connection, fact)
            case ClearingRequested() as fact:
                return await self._clearing(connection, fact)
            case ReindexRequested() as fact:
                return await self._reindex(connection, fact)
            case DomainCreated() as fact:
                return Outcome((), domain=fact.domain)
            case _:
                return Outcome(())

    async def tell(self, connection: Connection, event: Event[Fact], outcome: Outcome) -> None:
        """Write an outcome in the caller's transaction, which moves the position past its request."""
        fact, now = event.fact, self._means.clock()
        if outcome.domain is not None:
            await knowledge.add_domain(connection, fact.tenant, outcome.domain)
        for one in outcome.documents:
            await knowledge.put(connection, fact.tenant, one)
        if outcome.embedding is not None:
            await knowledge.put_encoder(connection, outcome.embedding)
        for sha256 in outcome.gone:
            await knowledge.drop_blob(connection, sha256)
        topic = self._means.names.of(KNOWLEDGE)
        if any(isinstance(told, DocumentRemoved) and told.erased for told in outcome.facts):
            await outbox.forget(connection, topic, fact.tenant.encode())
        stamped = [caused(told, event.envelope, source=SOURCE, now=now) for told in outcome.facts]
        await outbox.put(connection, [encode(topic, one) for one in stamped])
        for told in outcome.facts:
            self._count(f"ingest.{told.event_type.name}", 1)

    async def _submitted(self, connection: Connection, fact: DocumentSubmitted) -> Outcome:
        before = (await knowledge.known(connection, fact.tenant, [fact.document_id])).get(fact.document_id)
        told = told_digest(fact)
        if before is not None and before.state == "live":
            if before.told == told:
                return _refused(fact, "unchanged", f"it is there already, word for word, as version {before.version}")
            if not fact.replace:
                return _refused(fact, "document_exists", f"version {before.version} is there; say that this one replaces it")
        try:
            content = await self._content(connection, fact)
            text = await contained.read(content, fact.media_type)
        except DocumentUnreadable as error:
            return _refused(fact, error.reason, str(error))
        return await self._taken_in(connection, fact, before, text)

    async def _taken_in(self, connection: Connection, fact: DocumentSubmitted, known: Known | None, text: str) -> Outcome:
        """Return the outcome for a document that has a text."""
        parts = await asyncio.to_thread(pieces, text, self._means.count_tokens(), self._means.cut)
        if len(parts) > MOST_CHUNKS:
            return _refused(fact, "too_long", f"its text makes {len(parts)} pieces; {MOST_CHUNKS} are taken in")
        embeddings = await knowledge.encoders(connection, fact.tenant)
        first = None if embeddings else await self._first(fact)
        kinds = [one.kind for one in embeddings] if first is None else [first.kind]
        encoders = [await self._means.encoders.get(kind) for kind in dict.fromkeys(kinds)]
        if embeddings and not {one.encoder for one in embeddings} & {one.label for one in encoders}:
            return _refused(
                fact, "encoder_changed", "the encoder is another release's; `smolit knowledge reindex` makes all vectors anew"
            )
        version = known.version + 1 if known else 1
        language = await asyncio.to_thread(self._means.language, text)
        told = await asyncio.to_thread(facts_of, fact, version, text, language, parts, encoders)
        ahead = await self._ahead(connection, fact, first)
        now = Known(
            document_id=fact.document_id,
            domain=fact.domain,
            version=version,
            state="live",
            sha256=fact.sha256,
            told=told_digest(fact),
        )
        return Outcome([*ahead, *told], (now,), domain=fact.domain, embedding=first, gone=_replaced(known))

    async def _first(self, fact: DocumentSubmitted) -> Embedding:
        """Return the encoder of a tenant that has none yet."""
        kind = self._means.usual
        try:
            encoder = await self._means.encoders.get(kind)
        except EncoderMissing:  # its weights are not installed: the one that is shipped needs none
            kind = "static"
            encoder = await self._means.encoders.get(kind)
        return Embedding(tenant=fact.tenant, encoder=encoder.label, kind=kind, state="serving", request_id=fact.request_id)

    async def _ahead(self, connection: Connection, fact: DocumentSubmitted, first: Embedding | None) -> list[Fact]:
        """Return what is told before the first document of a tenant, or of a domain that nobody created."""
        told: list[Fact] = []
        if first is not None:
            told.append(IndexSwitched(tenant=fact.tenant, encoder=first.encoder, kind=first.kind, request_id=fact.request_id))
        if not await knowledge.has_domain(connection, fact.tenant, fact.domain):
            told.append(DomainCreated(tenant=fact.tenant, domain=fact.domain, description="", request_id=fact.request_id))
        return told

    async def _content(self, connection: Connection, fact: DocumentSubmitted) -> bytes:
        """Return a document's bytes; raises DocumentUnreadable where they are not there, or too many."""
        try:
            content = await blob.get(connection, fact.sha256)
        except BlobMissing as error:
            raise DocumentUnreadable("file_missing", str(error)) from error
        if len(content) > MOST_BYTES:
            raise DocumentUnreadable("too_large", f"it has {len(content)} bytes; {MOST_BYTES} are read")
        return content

    async def _removal(self, connection: Connection, fact: RemovalRequested) -> Outcome:
        before = (await knowledge.known(connection, fact.tenant, [fact.document_id])).get(fact.document_id)
        if before is None or before.state == "erased" or (before.state == "removed" and fact.keep_history):
            return _refused(fact, "unknown_document", f"there is no document {fact.document_id}")
        return Outcome(
            (_removed(fact, before, not fact.keep_history),), (_gone(before, fact.keep_history),), gone=(before.sha256,)
        )

    async def _clearing(self, connection: Connection, fact: ClearingRequested) -> Outcome:
        if not await knowledge.has_domain(connection, fact.tenant, fact.domain):
            return _refused(fact, "unknown_domain", f"there is no domain {fact.domain!r}")
        there = await knowledge.of_domain(connection, fact.tenant, fact.domain)
        cleared = DomainCleared(
            tenant=fact.tenant,
            domain=fact.domain,
            documents=len(there),
            request_id=fact.request_id,
            requested_by=fact.requested_by,
        )
        facts: list[Fact] = [*(_removed(fact, one, True) for one in there), cleared]
        return Outcome(facts, [_gone(one, False) for one in there], gone=[one.sha256 for one in there])

    async def _reindex(self, connection: Connection, fact: ReindexRequested) -> Outcome:
        """Begin with another encoder: what is told behind this fact has its vectors, too."""
        encoder = await self._means.encoders.get(fact.encoder)
        embeddings = await knowledge.encoders(connection, fact.tenant)
        if any(one.encoder == encoder.label for one in embeddings):
            return _refused(fact, "unchanged", f"vectors of {encoder.label} serve already, or are being made")
        begun = ReindexBegun(tenant=fact.tenant, encoder=encoder.label, kind=fact.encoder, request_id=fact.request_id)
        building = Embedding(
            tenant=fact.tenant, encoder=encoder.label, kind=fact.encoder, state="building", request_id=fact.request_id
        )
        return Outcome((begun,), embedding=building)


def _refused(
    fact: DocumentSubmitted | RemovalRequested | ClearingRequested | ReindexRequested, reason: str, detail: str
) -> Outcome:
    """Return that nothing comes of a request; the bytes of a refused document are not kept."""
    told = DocumentRefused(
        tenant=fact.tenant,
        document_id=getattr(fact, "document_id", None),
        domain=getattr(fact, "domain", None),
        reason=reason,
        detail=detail[:2_000],
        request_id=fact.request_id,
        requested_by=fact.requested_by,
    )
    return Outcome((told,), gone=(fact.sha256,) if isinstance(fact, DocumentSubmitted) else ())


def _replaced(before: Known | None) -> Sequence[str]:
    """Return the digest of the bytes that a version replaces: its chunks are told, so nobody needs them."""
    return (before.sha256,) if before is not None and before.sha256 else ()


def _removed(fact: RemovalRequested | ClearingRequested, one: Known, erased: bool) -> DocumentRemoved:
    return DocumentRemoved(
        tenant=fact.tenant,
        document_id=one.document_id,
        version=one.version,
        domain=one.domain,
        erased=erased,
        request_id=fact.request_id,
    )


def _gone(one: Known, keep_history: bool) -> Known:
    """Return how a document stands once it is removed; its bytes are deleted either way."""
    state: DocumentState = "removed" if keep_history else "erased"
    return Known(document_id=one.document_id, domain=one.domain, version=one.version, state=state, sha256="", told="")


async def run(
    kafka: str,
    dsn: str,
    means: Means,
    stopped: asyncio.Event,
    count: Count,
    standby_poll_s: float = 0.5,
    *,
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
    make_fold: MakeFold = DurableFold,
) -> None:
    """Take in until told to stop, after standing by while another one does; any error ends it.

    Raises:
        Fenced: another process moved our position.
        EncoderError: an encoder that serves cannot be opened.
    """
    connection = await connect(dsn, CONSUMER)
    reader = make_reader(kafka, CONSUMER)
    try:
        if await take_turn(connection, means.names, stopped, standby_poll_s, CONSUMER):
            fold = make_fold(CONSUMER, connection)
            place = (means.names.of(KNOWLEDGE), 0)
            positions = await fold.positions([place])
            await reader.start(positions)
            ingest, position = Ingest(means, count), positions[place]
            while not stopped.is_set():
                records = await reader.fetch()
                position = await _batch(ingest, fold, connection, records, position, stopped)
    finally:
        await reader.stop()
        await connection.close()


async def _batch(
    ingest: Ingest,
    fold: DurableFold,
    connection: Connection,
    records: Sequence[Incoming],
    position: int,
    stopped: asyncio.Event,
) -> int:
    """Decide on what is asked in some records, each in a step of its own; return the position behind them."""
    for record in records:
        if stopped.is_set():
            return position
        if (event := fact_in(record, _ASKED)) is not None:
            outcome = await ingest.outcome(connection, event)
            async with fold.step([Move(record.topic, record.partition, position, record.offset + 1)]):
                await ingest.tell(connection, event, outcome)
            position = record.offset + 1
    if records and (behind := records[-1].offset + 1) > position:
        await fold.move([Move(records[-1].topic, records[-1].partition, position, behind)])
        position = behind
    return position


def fact_in(record: Incoming, wanted: frozenset[str]) -> Event[Fact] | None:
    """Return the fact in a record, if it is of these types; the projections set aside what cannot be read."""
    if event_type(record.headers) not in wanted:
        return None
    try:
        event = decode(record.headers, record.value)
    except EventError:
        return None
    return Event(event.envelope, event.fact) if isinstance(event.fact, Fact) else None
