"""The blob store: big texts and outputs, kept once under the sha256 of their bytes."""

import hashlib

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

_PUT = "insert into ops.blob (sha256, content) values (%s, %s) on conflict do nothing"
_GET = "select content from ops.blob where sha256 = %s"


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
