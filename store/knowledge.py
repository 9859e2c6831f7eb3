"""What `ingest` knows: domains, version and state of each document, encoders that make vectors. In the caller's transaction."""

from typing import Literal

from msgspec import Struct
from psycopg.rows import class_row
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from events.knowledge import EncoderKind
from store.metadata import metadata
from store.postgres import Connection

DocumentState = Literal["live", "removed", "erased"]
EncoderState = Literal["serving", "building", "retired"]

knowledge_domain = Table(
    "knowledge_domain",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose domain it is"),
    Column("domain", Text, primary_key=True, comment="its name"),
    comment="Domains of knowledge that were created.",
)
knowledge_document = Table(
    "knowledge_document",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose document it is"),
    Column("document_id", Text, primary_key=True, comment="the document"),
    Column("domain", Text, nullable=False, comment="domain that it belongs to"),
    Column("version", Integer, nullable=False, comment="its newest version"),
    Column("state", Text, nullable=False, comment="live, removed (readable as of earlier) or erased"),
    Column("sha256", Text, nullable=False, comment="digest of its bytes; empty: erased"),
    Column("told", Text, nullable=False, comment="digest of its bytes with all that was said of them; empty: erased"),
    Index("knowledge_document_domain", "tenant", "domain"),
    comment="Documents as ingest decided on them, in the order of the log.",
)
knowledge_encoder = Table(
    "knowledge_encoder",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose chunks it embeds"),
    Column("encoder", Text, primary_key=True, comment="name and digest: what vectors of it are called"),
    Column("kind", Text, nullable=False, comment="what the settings call it"),
    Column("state", Text, nullable=False, comment="serving, building or retired"),
    Column("next", BigInteger, nullable=False, comment="first offset whose chunks still lack its vectors"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of the request as JSON"),
    Column("request_id", Text, nullable=False, comment="the request"),
    comment="Encoders whose vectors are made; the one that serves is switched when those of another are complete.",
)

_DOCUMENT = """
select document_id, domain, version, state, sha256, told from ops.knowledge_document
where tenant = %s and document_id = any(%s)"""
_PUT = """
insert into ops.knowledge_document (tenant, document_id, domain, version, state, sha256, told)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (tenant, document_id) do update set domain = excluded.domain, version = excluded.version,
  state = excluded.state, sha256 = excluded.sha256, told = excluded.told"""
_OF_DOMAIN = """
select document_id, domain, version, state, sha256, told from ops.knowledge_document
where tenant = %s and domain = %s and state <> 'erased' order by document_id"""
_DROP_BLOB = """
delete from ops.blob where sha256 = %(sha256)s::text
  and not exists (select from ops.knowledge_document where sha256 = %(sha256)s)
  and not exists (select from ops.work_task where state = 'open' and position(convert_to(%(sha256)s, 'UTF8') in fact) > 0)"""
_ADD_DOMAIN = "insert into ops.knowledge_domain (tenant, domain) values (%s, %s) on conflict do nothing returning domain"
_HAS_DOMAIN = "select exists (select from ops.knowledge_domain where tenant = %s and domain = %s)"
_ENCODERS = """
select tenant, encoder, kind, state, next, cause, request_id from ops.knowledge_encoder
where state <> 'retired' and (%(tenant)s::text is null or tenant = %(tenant)s) order by tenant, state, encoder"""
_PUT_ENCODER = """
insert into ops.knowledge_encoder (tenant, encoder, kind, state, next, cause, request_id) values (%s, %s, %s, %s, %s, %s, %s)
on conflict (tenant, encoder) do update set state = excluded.state, next = excluded.next,
  cause = excluded.cause, request_id = excluded.request_id"""
_RETIRE = "update ops.knowledge_encoder set state = 'retired' where tenant = %s and state = 'serving'"


class Known(Struct, frozen=True, kw_only=True):
    """A document as it stands."""

    document_id: str
    domain: str
    version: int
    state: DocumentState
    sha256: str
    told: str


class Embedding(Struct, frozen=True, kw_only=True):
    """An encoder whose vectors are made, and how far that is."""

    tenant: str
    encoder: str
    kind: EncoderKind
    state: EncoderState
    next: int = 0
    cause: bytes = b""
    request_id: str = ""


async def known(connection: Connection, tenant: str, document_ids: list[str]) -> dict[str, Known]:
    """Return documents by id, as far as they are known."""
    async with connection.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_DOCUMENT, (tenant, document_ids))
        return {one.document_id: one for one in await cursor.fetchall()}


async def put(connection: Connection, tenant: str, one: Known) -> None:
    """Note how a document stands."""
    row = (tenant, one.document_id, one.domain, one.version, one.state, one.sha256, one.told)
    await connection.execute(_PUT, row)


async def of_domain(connection: Connection, tenant: str, domain: str) -> list[Known]:
    """Return the documents of a domain of which something is left."""
    async with connection.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_OF_DOMAIN, (tenant, domain))
        return await cursor.fetchall()


async def drop_blob(connection: Connection, sha256: str) -> None:
    """Delete a document's bytes, unless another document or a task of the queue has the same."""
    await connection.execute(_DROP_BLOB, {"sha256": sha256})


async def add_domain(connection: Connection, tenant: str, domain: str) -> bool:
    """Note a domain; return whether it is new."""
    return await (await connection.execute(_ADD_DOMAIN, (tenant, domain))).fetchone() is not None


async def has_domain(connection: Connection, tenant: str, domain: str) -> bool:
    """Say whether a domain was created."""
    row = await (await connection.execute(_HAS_DOMAIN, (tenant, domain))).fetchone()
    return bool(row and row[0])


async def encoders(connection: Connection, tenant: str | None = None) -> list[Embedding]:
    """Return the encoders whose vectors are made, of a tenant or of all."""
    async with connection.cursor(row_factory=class_row(Embedding)) as cursor:
        await cursor.execute(_ENCODERS, {"tenant": tenant})
        return await cursor.fetchall()


async def put_encoder(connection: Connection, one: Embedding) -> None:
    """Note how far the vectors of an encoder are."""
    row = (one.tenant, one.encoder, one.kind, one.state, one.next, one.cause, one.request_id)
    await connection.execute(_PUT_ENCODER, row)


async def serve(connection: Connection, one: Embedding) -> None:
    """Let an encoder serve in the place of the one before."""
    await connection.execute(_RETIRE, (one.tenant,))
    await put_encoder(connection, one)
