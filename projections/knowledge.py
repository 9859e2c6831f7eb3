"""Read models of knowledge: domains, versions of documents, their chunks with words and vectors, and which encoder serves.

All of it comes from one partition, so a batch is written fact by fact in the order of the log. A version is found from the offset
that it was added at (`since`) until the one that it went at (`until`): so a search as of an offset finds what one found then. Of
what is erased a row is left that says so, and nothing else. How it is searched: `projections/knowledge_search.py`.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Boolean, Column, Computed, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from events.event import Event, Fact
from events.knowledge import (
    ChunksEmbedded,
    ClearingRequested,
    DocumentAdded,
    DocumentChunked,
    DocumentRefused,
    DocumentRemoved,
    DocumentSubmitted,
    DomainCleared,
    DomainCreated,
    IndexSwitched,
    ReindexBegun,
    ReindexRequested,
    RemovalRequested,
)
from projections.column import TIME, key, metadata
from projections.projection import Compared, Logged, Projection, compared
from projections.statement import Statement
from projections.view import view_of
from store.packed import reals

WIDTH = 384

DOMAINS = Table(
    "knowledge_domains_v1",
    metadata,
    key("tenant", Text, "whose domain it is"),
    key("domain", Text, "its name"),
    Column("description", Text, comment="what its documents are about"),
    Column("created_at", TIME, comment="since when it is there"),
    Column("cleared_at", TIME, comment="when all its documents were last removed; null: never"),
    comment="Domains of knowledge: families of documents that agents are granted.",
)
DOCUMENTS = Table(
    "knowledge_documents_v1",
    metadata,
    key("tenant", Text, "whose document it is"),
    key("document_id", Text, "the document"),
    key("version", Integer, "version of the document, from 1"),
    Column("domain", Text, comment="domain that it belongs to"),
    Column("name", Text, comment="what it is called within its domain; null: erased"),
    Column("title", Text, comment="its title; null: erased"),
    Column("media_type", Text, comment="what it is"),
    Column("sha256", Text, comment="digest of its bytes; null: erased"),
    Column("size", BigInteger, comment="bytes"),
    Column("source", Text, comment="where it comes from; null: erased"),
    Column("meta", JSONB, comment="what is known of it, by name; null: erased"),
    Column("rights", JSONB, comment="what a reader has to hold, all of them"),
    Column("language", Text, comment="language of its text; und: not told"),
    Column("chars", BigInteger, comment="characters of its text"),
    Column("chunks", Integer, comment="pieces that its text was cut into"),
    Column("since", BigInteger, comment="offset from which on it is found"),
    Column("until", BigInteger, comment="offset from which on it is found no more; null: it is"),
    Column("added_at", TIME, comment="when it was taken in"),
    Column("ended_at", TIME, comment="when it was replaced or removed; null: it is there"),
    Column("erased", Boolean, nullable=False, comment="whether its texts and vectors were deleted"),
    Index("knowledge_documents_v1_domain", "tenant", "domain"),
    Index("knowledge_documents_v1_meta", "meta", postgresql_using="gin"),
    comment="Versions of documents: which is found when, under which rights, and what is known of it.",
)
CHUNKS = Table(
    "knowledge_chunks_v1",
    metadata,
    key("tenant", Text, "whose document it is"),
    key("document_id", Text, "the document"),
    key("version", Integer, "version of the document"),
    key("chunk", Integer, "place of the piece in it, from 0"),
    Column("starts", Integer, comment="first character in the document's text"),
    Column("ends", Integer, comment="behind the last character"),
    Column("heading", Text, comment="heading that it stands under"),
    Column("text", Text, comment="the piece itself"),
    Column(
        "words",
        TSVECTOR,
        Computed("to_tsvector('english'::regconfig, (heading || ' '::text) || text)", persisted=True),
        comment="its words, for full-text search",
    ),
    Index("knowledge_chunks_v1_words", "words", postgresql_using="gin"),
    comment="Pieces of documents, with their words for full-text search.",
)
VECTORS = Table(
    "knowledge_vectors_v1",
    metadata,
    key("encoder", Text, "what made the vector: name and digest"),
    key("tenant", Text, "whose document it is"),
    key("document_id", Text, "the document"),
    key("version", Integer, "version of the document"),
    key("chunk", Integer, "place of the piece in it"),
    Column("embedding", HALFVEC(WIDTH), comment="embedding of the piece: 384 numbers"),
    comment="Vectors of the pieces, by the encoder that made them: those of one are built beside those of another.",
)
ENCODERS = Table(
    "knowledge_encoders_v1",
    metadata,
    key("tenant", Text, "whose texts"),
    key("since", BigInteger, "offset from which on its vectors serve"),
    Column("encoder", Text, comment="what makes the vectors: name and digest"),
    Column("kind", Text, comment="what the settings call it"),
    Column("since_at", TIME, comment="when that was"),
    comment="Which encoder's vectors texts are found by, and since when.",
)
REFUSED = Table(
    "knowledge_refused_v1",
    metadata,
    key("tenant", Text, "whose request"),
    key("request_id", Text, "the request"),
    Column("document_id", Text, comment="the document, where one was named"),
    Column("domain", Text, comment="the domain, where one was named"),
    Column("reason", Text, comment="why nothing came of it, as a code"),
    Column("detail", Text, comment="the same as a sentence"),
    Column("refused_at", TIME, comment="when"),
    comment="Requests about knowledge that nothing came of, and why.",
)
REQUESTS = Table(
    "knowledge_requests_v1",
    metadata,
    key("tenant", Text, "whose request"),
    key("request_id", Text, "the request"),
    Column("kind", Text, comment="add, remove, clear or reindex"),
    Column("document_id", Text, comment="the document, where one is meant"),
    Column("domain", Text, comment="the domain, where one is meant"),
    Column("encoder", Text, comment="the encoder, where one is asked for"),
    Column("requested_by", Text, comment="who asked"),
    Column("asked_at", TIME, comment="when it was accepted"),
    Column("begun_at", TIME, comment="since when chunks get vectors of another encoder, where one was asked for"),
    comment="What was asked about knowledge, and by whom; what is to be forgotten of it is not here.",
)

_STATE = "case when known.erased then 'erased' when known.until is null then 'live' else 'ended' end"
DOMAINS_VIEW = view_of("knowledge_domains", DOMAINS)
DOCUMENTS_VIEW = view_of(
    "knowledge_documents", DOCUMENTS, {"state": (_STATE, "live, ended (replaced, or removed with its history kept) or erased")}
)
CHUNKS_VIEW = view_of("knowledge_chunks", CHUNKS)
VECTORS_VIEW = view_of("knowledge_vectors", VECTORS)
ENCODERS_VIEW = view_of("knowledge_encoders", ENCODERS)
REFUSED_VIEW = view_of("knowledge_refused", REFUSED)
REQUESTS_VIEW = view_of("knowledge_requests", REQUESTS)
# Byte for byte, by what Postgres itself knows: a generation's search path does not find functions of the extension.
_TEXTS = f"""(select tenant, document_id, version, chunk, starts, ends, heading, text from {CHUNKS.name}) as texts"""  # noqa: S608
_SENT = f"""(select encoder, tenant, document_id, version, chunk,
  array_send(embedding::real[]) as embedding from {VECTORS.name}) as sent"""  # noqa: S608 the name is ours

_DOMAIN = b"""
insert into knowledge_domains_v1 (tenant, domain, description, created_at) values (%s, %s, %s, %s) on conflict do nothing"""
_CLEARED = b"update knowledge_domains_v1 set cleared_at = %s where tenant = %s and domain = %s"
_CHUNKS = b"""
insert into knowledge_chunks_v1 (tenant, document_id, version, chunk, starts, ends, heading, text)
select %s, %s, %s, number, start, "end", heading, text
from jsonb_to_recordset(%s::jsonb) as told(number int, start int, "end" int, heading text, text text)
on conflict do nothing"""
_VECTORS = b"""
insert into knowledge_vectors_v1 (encoder, tenant, document_id, version, chunk, embedding)
select %s, %s, %s, %s, %s + place, (%s::real[])[place * 384 + 1 : (place + 1) * 384]
from generate_series(0, %s) as place where not exists (
  select from knowledge_documents_v1 where tenant = %s and document_id = %s and version = %s and erased)
on conflict do nothing"""
_REPLACED = b"""
update knowledge_documents_v1 set until = %s, ended_at = %s where tenant = %s and document_id = %s and until is null"""
_ADDED = b"""
insert into knowledge_documents_v1 (tenant, document_id, version, domain, name, title, media_type, sha256, size, source, meta,
  rights, language, chars, chunks, since, added_at, erased)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s, false) on conflict do nothing"""
_ERASED = b"""
update knowledge_documents_v1 set name = null, title = null, sha256 = null, source = null, meta = null, erased = true
where tenant = %s and document_id = %s"""
_NO_CHUNKS = b"delete from knowledge_chunks_v1 where tenant = %s and document_id = %s"
_NO_VECTORS = b"delete from knowledge_vectors_v1 where tenant = %s and document_id = %s"
_SWITCHED = b"""
insert into knowledge_encoders_v1 (tenant, since, encoder, kind, since_at) values (%s, %s, %s, %s, %s) on conflict do nothing"""
_REFUSE = b"""
insert into knowledge_refused_v1 (tenant, request_id, document_id, domain, reason, detail, refused_at)
values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing"""
_ASKED = b"""
insert into knowledge_requests_v1 (tenant, request_id, kind, document_id, domain, encoder, requested_by, asked_at)
values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"""
_BEGUN = b"update knowledge_requests_v1 set begun_at = %s where tenant = %s and request_id = %s"
_KINDS = {DocumentSubmitted: "add", RemovalRequested: "remove", ClearingRequested: "clear", ReindexRequested: "reindex"}


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what writes a batch, fact by fact: one partition holds them all, so the batch is in order."""
    return [statement for logged in facts for statement in _told(logged.event, logged.offset)]


def _told(event: Event[Fact], offset: int) -> list[Statement]:
    """Return what one fact changes."""
    fact, at = event.fact, event.envelope.time
    match fact:
        case DomainCreated():
            return [Statement(_DOMAIN, (fact.tenant, fact.domain, fact.description, at))]
        case DomainCleared():
            return [Statement(_CLEARED, (at, fact.tenant, fact.domain))]
        case DocumentChunked():
            return _chunked(fact)
        case ChunksEmbedded():
            return [_vectors(fact, fact.encoder, fact.first, fact.vectors)]
        case DocumentAdded():
            replaced = Statement(_REPLACED, (offset, at, fact.tenant, fact.document_id))
            return [replaced, Statement(_ADDED, (*_row(fact), offset, at))]
        case DocumentRemoved():
            place = (fact.tenant, fact.document_id)
            ended = Statement(_REPLACED, (offset, at, *place))
            erase = [Statement(sql, place) for sql in (_ERASED, _NO_CHUNKS, _NO_VECTORS)]
            return [ended, *(erase if fact.erased else ())]
        case IndexSwitched():
            return [Statement(_SWITCHED, (fact.tenant, offset, fact.encoder, fact.kind, at))]
        case DocumentRefused():
            who = (fact.tenant, fact.request_id, fact.document_id, fact.domain)
            return [Statement(_REFUSE, (*who, fact.reason, fact.detail, at))]
        case DocumentSubmitted() | RemovalRequested() | ClearingRequested() | ReindexRequested():
            return [_asked(fact, at)]
        case ReindexBegun():
            return [Statement(_BEGUN, (at, fact.tenant, fact.request_id))]
        case _:
            return []


def _asked(fact: DocumentSubmitted | RemovalRequested | ClearingRequested | ReindexRequested, at: datetime) -> Statement:
    """Return what writes that something was asked for."""
    named = tuple(getattr(fact, name, None) for name in ("document_id", "domain", "encoder"))
    return Statement(_ASKED, (fact.tenant, fact.request_id, _KINDS[type(fact)], *named, fact.requested_by, at))


def _row(fact: DocumentAdded) -> tuple[object, ...]:
    """Return the columns of a version, in the order of the statement."""
    return (
        *(fact.tenant, fact.document_id, fact.version, fact.domain, fact.name, fact.title, fact.media_type, fact.sha256),
        *(fact.size, fact.source, _json(fact.meta), _json(fact.rights), fact.language, fact.chars, fact.chunks),
    )


def _chunked(fact: DocumentChunked) -> list[Statement]:
    """Return what writes some chunks, and their vectors by every encoder that made some."""
    place = (fact.tenant, fact.document_id, fact.version)
    chunks = Statement(_CHUNKS, (*place, _json(fact.chunks)))
    first = fact.chunks[0].number if fact.chunks else 0
    return [chunks, *(_vectors(fact, encoder, first, packed) for encoder, packed in sorted(fact.vectors.items()))]


def _vectors(fact: DocumentChunked | ChunksEmbedded, encoder: str, first: int, packed: bytes) -> Statement:
    """Return what writes vectors of neighbouring chunks, unless the version was erased meanwhile."""
    numbers = np.frombuffer(packed, "<f2")
    place = (fact.tenant, fact.document_id, fact.version)
    return Statement(_VECTORS, (encoder, *place, first, reals(numbers), len(numbers) // WIDTH - 1, *place))


def _json(content: object) -> str:
    return msgspec.json.encode(content).decode()


KNOWLEDGE = Projection(
    name="knowledge_documents",
    version=1,
    tables=(DOMAINS, DOCUMENTS, CHUNKS, VECTORS, ENCODERS, REFUSED, REQUESTS),
    views=(DOMAINS_VIEW, DOCUMENTS_VIEW, CHUNKS_VIEW, VECTORS_VIEW, ENCODERS_VIEW, REFUSED_VIEW, REQUESTS_VIEW),
    reads=(
        DomainCreated,
        DomainCleared,
        DocumentChunked,
        ChunksEmbedded,
        DocumentAdded,
        DocumentRemoved,
        IndexSwitched,
        DocumentRefused,
        DocumentSubmitted,
        RemovalRequested,
        ClearingRequested,
        ReindexRequested,
        ReindexBegun,
    ),
    compared=(
        compared(DOMAINS_VIEW, DOMAINS),
        compared(DOCUMENTS_VIEW, DOCUMENTS),
        Compared("knowledge_chunks", _TEXTS, tuple(column.name for column in CHUNKS.primary_key)),
        Compared("knowledge_vectors", _SENT, tuple(column.name for column in VECTORS.primary_key)),
        compared(ENCODERS_VIEW, ENCODERS),
        compared(REFUSED_VIEW, REFUSED),
        compared(REQUESTS_VIEW, REQUESTS),
    ),
    write=write,
)
