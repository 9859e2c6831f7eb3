"""The blob store: big texts, outputs and files, kept once under the sha256 of their bytes.

Who knows a digest does not thereby have what lies under it: a request may name only what its tenant brought.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Column, DateTime, LargeBinary, Table, Text, text

from store.errors import StoreError
from store.metadata import metadata
from store.postgres import Connection

blob = Table(
    "blob",
    metadata,
    Column("sha256", Text, primary_key=True, comment="sha256 of the content, hexadecimal"),
    Column("content", LargeBinary, nullable=False, comment="the bytes"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="stored at"),
    comment="Big texts and outputs that facts refer to by their sha256.",
)
tenant_file = Table(
    "tenant_file",
    metadata,
    Column("tenant", Text, primary_key=True, comment="who brought it"),
    Column("sha256", Text, primary_key=True, comment="sha256 of the content, hexadecimal"),
    Column("brought_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="first brought at"),
    comment="Files that a tenant brought, and may name in requests; the bytes lie in the blob store.",
)

_PUT = "insert into ops.blob (sha256, content) values (%s, %s) on conflict do nothing"
_GET = "select content from ops.blob where sha256 = %s"
_BRING = "insert into ops.tenant_file (tenant, sha256) values (%s, %s) on conflict do nothing"
_BROUGHT = """
select sha256, length(content), substring(content from 1 for %s)
from ops.tenant_file join ops.blob using (sha256) where tenant = %s and sha256 = any(%s)"""


class Brought(Struct, frozen=True):
    """A file that a tenant brought: its size in bytes, and the first of them."""

    size: int
    head: bytes


class BlobMissing(StoreError):
    """A fact refers to content that is not in the blob store."""


async def put(connection: Connection, content: bytes) -> str:
    """Store content in the caller's transaction, once; return its sha256."""
    digest = hashlib.sha256(content).hexdigest()
    await connection.execute(_PUT, (digest, content))
    return digest


async def get(connection: Connection, digest: str) -> bytes:
    """Return content by its sha256.

    Raises:
        BlobMissing: nothing is stored under it.
    """
    row = await (await connection.execute(_GET, (digest,))).fetchone()
    if row is None:
        raise BlobMissing(f"nothing is stored under sha256 {digest}")
    return bytes(row[0])


async def bring(connection: Connection, tenant: str, content: bytes) -> str:
    """Store a tenant's file in the caller's transaction, once; return its sha256."""
    digest = await put(connection, content)
    await connection.execute(_BRING, (tenant, digest))
    return digest


async def brought(connection: Connection, tenant: str, digests: Sequence[str], head_bytes: int) -> dict[str, Brought]:
    """Return by sha256 which of these files a tenant brought; what it did not bring is absent."""
    cursor = await connection.execute(_BROUGHT, (head_bytes, tenant, list(digests)))
    return {str(sha256): Brought(int(size), bytes(head)) for sha256, size, head in await cursor.fetchall()}
