"""Reads of knowledge that are no search: documents, domains, figures, and where in the log one stands."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from events.topics import KNOWLEDGE, Names
from projections.projection import fetch
from store.postgres import Connection

_DOCUMENT = """
select document_id, version, domain, name, title, media_type, sha256, size, source, meta, rights, language, chars, chunks,
  since, until, added_at, ended_at, state
from public.knowledge_documents"""


class Document(Struct, frozen=True, kw_only=True):
    """One version of a document; `since` and `until` are offsets."""

    document_id: str
    version: int
    domain: str
    name: str | None
    title: str | None
    media_type: str
    sha256: str | None
    size: int
    source: str | None
    meta: dict[str, str] | None
    rights: list[str]
    language: str
    chars: int
    chunks: int
    since: int
    until: int | None
    added_at: datetime
    ended_at: datetime | None
    state: str


class ChunkRow(Struct, frozen=True, kw_only=True):
    """One piece of a document."""

    chunk: int
    starts: int
    ends: int
    heading: str
    text: str


class Domain(Struct, frozen=True, kw_only=True):
    """A domain, and what is in it."""

    domain: str
    description: str
    created_at: datetime
    cleared_at: datetime | None
    documents: int
    chunks: int


class Figures(Struct, frozen=True, kw_only=True):
    """What a tenant's knowledge amounts to."""

    domains: int
    documents: int
    versions: int
    erased: int
    chunks: int
    chars: int
    refused: int
    vectors: dict[str, int]
    encoder: str | None
    kind: str | None
    as_of: int


class Refused(Struct, frozen=True, kw_only=True):
    """A request that nothing came of."""

    document_id: str | None
    domain: str | None
    reason: str
    detail: str
    refused_at: datetime


async def documents(
    connection: Connection, tenant: str, domain: str | None = None, name: str | None = None, limit: int = 1_000
) -> list[Document]:
    """Return the documents that are there, by domain and name."""
    query = f"""{_DOCUMENT} where tenant = %(tenant)s and state = 'live'
        and (%(domain)s::text is null or domain = %(domain)s) and (%(name)s::text is null or name = %(name)s)
        order by domain, name, document_id limit %(limit)s"""
    return await fetch(connection, Document, query, {"tenant": tenant, "domain": domain, "name": name, "limit": limit})


async def versions(connection: Connection, tenant: str, document_id: str) -> list[Document]:
    """Return every version of a document, newest first."""
    query = f"{_DOCUMENT} where tenant = %s and document_id = %s order by version desc"
    return await fetch(connection, Document, query, (tenant, document_id))


async def chunks(connection: Connection, tenant: str, document_id: str, version: int) -> list[ChunkRow]:
    """Return the pieces of a version, in order."""
    query = """select chunk, starts, ends, heading, text from public.knowledge_chunks
        where tenant = %s and document_id = %s and version = %s order by chunk"""
    return await fetch(connection, ChunkRow, query, (tenant, document_id, version))


async def domains(connection: Connection, tenant: str) -> list[Domain]:
    """Return the domains, with what is in them."""
    query = """select one.domain, one.description, one.created_at, one.cleared_at, count(d.document_id) as documents,
          coalesce(sum(d.chunks), 0)::bigint as chunks
        from public.knowledge_domains one
        left join public.knowledge_documents d on d.tenant = one.tenant and d.domain = one.domain and d.state = 'live'
        where one.tenant = %s group by one.domain, one.description, one.created_at, one.cleared_at order by one.domain"""
    return await fetch(connection, Domain, query, (tenant,))


async def figures(connection: Connection, names: Names, tenant: str) -> Figures:
    """Return what a tenant's knowledge amounts to."""
    query = """select
        (select count(*) from public.knowledge_domains where tenant = %(t)s) as domains,
        count(*) filter (where state = 'live') as documents,
        count(*) as versions,
        count(*) filter (where state = 'erased') as erased,
        coalesce(sum(chunks) filter (where state = 'live'), 0)::bigint as chunks,
        coalesce(sum(chars) filter (where state = 'live'), 0)::bigint as chars,
        (select count(*) from public.knowledge_refused where tenant = %(t)s) as refused,
        coalesce((select jsonb_object_agg(encoder, many) from (
          select encoder, count(*) as many from public.knowledge_vectors where tenant = %(t)s group by encoder) as each),
          '{}'::jsonb) as vectors,
        (select encoder from public.knowledge_encoders where tenant = %(t)s order by since desc limit 1) as encoder,
        (select kind from public.knowledge_encoders where tenant = %(t)s order by since desc limit 1) as kind,
        %(as_of)s::bigint as as_of
      from public.knowledge_documents where tenant = %(t)s"""
    given = {"t": tenant, "as_of": await position(connection, names)}
    return (await fetch(connection, Figures, query, given))[0]


async def refusals(connection: Connection, tenant: str, limit: int = 20) -> list[Refused]:
    """Return the last requests that nothing came of."""
    query = """select document_id, domain, reason, detail, refused_at from public.knowledge_refused
        where tenant = %s order by refused_at desc, request_id limit %s"""
    return await fetch(connection, Refused, query, (tenant, limit))


async def position(connection: Connection, names: Names) -> int:
    """Return the last offset of the topic that the read models know; -1: none."""
    query = """select position.next - 1 from ops.fold_position as position
        join ops.read_generation as one on position.consumer = 'projections.' || one.name and one.state = 'serving'
        where position.topic = %s"""
    row = await (await connection.execute(query, (names.of(KNOWLEDGE),))).fetchone()
    return int(row[0]) if row else -1


async def offset_at(connection: Connection, names: Names, moment: datetime) -> int:
    """Return the last offset of the topic that was told by a moment; -1: none."""
    query = "select max(log_offset) from public.events where topic = %s and occurred_at <= %s"
    row = await (await connection.execute(query, (names.of(KNOWLEDGE), moment))).fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


async def answers(connection: Connection, tenant: str, task_id: str) -> list[dict[str, Any]]:
    """Return the ended attempts of a task as they were told, in order."""
    query = """select payload from public.events where correlation_id = %s and type = 'attempt.ended' and tenant = %s
        order by (payload->>'attempt')::int"""
    rows = await (await connection.execute(query, (task_id, tenant))).fetchall()
    return [row[0] for row in rows]
