"""Public keys of senders, written by intake before it publishes the fact: so a message never comes before its key."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from msgspec import Struct
from sqlalchemy import Column, DateTime, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from events.conversation import Scope
from store.metadata import metadata
from store.postgres import Connection

sender_key = Table(
    "sender_key",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose sender it is"),
    Column("sender", Text, primary_key=True, comment="agent, or `user:` and a name"),
    Column("key_id", Text, primary_key=True, comment="start of the key's sha256"),
    Column("public_key", Text, nullable=False, comment="Ed25519 public key, base64"),
    Column("scope", JSONB, nullable=False, comment="what the key may be used for"),
    Column("replaces", Text, nullable=True, comment="id of the key before"),
    Column("registered_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="since when"),
    Column("replaced_at", DateTime(timezone=True), nullable=True, comment="until when; null: in use"),
    comment="Public keys of those who send messages; of each sender one is in use.",
)

_OF = """
select tenant, sender, key_id, public_key, scope::text, replaces, replaced_at from ops.sender_key
where tenant = %s and sender = any(%s::text[]) order by registered_at, key_id"""
_LIKE = """
select tenant, sender, key_id, public_key, scope::text, replaces, replaced_at from ops.sender_key
where tenant = %s and starts_with(sender, %s) order by sender, registered_at, key_id"""
_SENDERS = "select sender from ops.sender_key where tenant = %s and replaced_at is null order by sender"
_RETIRE = "update ops.sender_key set replaced_at = now() where tenant = %s and sender = %s and replaced_at is null"
_PUT = """
insert into ops.sender_key (tenant, sender, key_id, public_key, scope, replaces) values (%s, %s, %s, %s, %s::jsonb, %s)
on conflict do nothing"""


class KeyRow(Struct, frozen=True):
    """One key of a sender."""

    tenant: str
    sender: str
    key_id: str
    public_key: str
    scope: Scope
    replaces: str | None
    replaced_at: datetime | None


async def keys_of(connection: Connection, tenant: str, senders: Iterable[str]) -> list[KeyRow]:
    """Return all keys of these senders, the oldest first."""
    return await _rows(connection, _OF, (tenant, sorted(set(senders))))


async def keys_like(connection: Connection, tenant: str, beginning: str) -> list[KeyRow]:
    """Return all keys of senders whose name begins so, by sender, the oldest first."""
    return await _rows(connection, _LIKE, (tenant, beginning))


async def _rows(connection: Connection, query: LiteralString, values: tuple[Any, ...]) -> list[KeyRow]:
    cursor = await connection.execute(query, values)
    return [
        KeyRow(whose, sender, key_id, public_key, msgspec.json.decode(scope, type=Scope), replaces, replaced_at)
        for whose, sender, key_id, public_key, scope, replaces, replaced_at in await cursor.fetchall()
    ]


async def senders(connection: Connection, tenant: str) -> list[str]:
    """Return everybody who has a key in use, sorted."""
    return [str(row[0]) for row in await (await connection.execute(_SENDERS, (tenant,))).fetchall()]


async def put(connection: Connection, row: KeyRow) -> None:
    """Put a key in use in the place of the one before; written again it changes nothing."""
    async with connection.transaction():
        known = {one.key_id for one in await keys_of(connection, row.tenant, [row.sender])}
        if row.key_id not in known:
            await connection.execute(_RETIRE, (row.tenant, row.sender))
            scope = msgspec.json.encode(row.scope).decode()
            await connection.execute(_PUT, (row.tenant, row.sender, row.key_id, row.public_key, scope, row.replaces))
