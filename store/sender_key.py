"""Public keys of senders, written by intake before it publishes the fact: so a message never comes before its key."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from msgspec import Struct
from sqlalchemy import Column, DateTime, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from events.conversation import Scope
from events.vouched import signer_of
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
    Column("used_at", DateTime(timezone=True), nullable=True, comment="when a worker elsewhere last spoke with it, to 10 s"),
    comment="Public keys of those who send messages; of each sender one is in use, of a worker elsewhere several may be.",
)

_COLUMNS: LiteralString = """
select tenant, sender, key_id, public_key, scope::text, replaces, replaced_at, registered_at, used_at from ops.sender_key
"""
_OF = _COLUMNS + "where tenant = %s and sender = any(%s::text[]) order by registered_at, key_id"
_OF_SOURCES = _COLUMNS + "where tenant = %s and split_part(sender, '#', 1) = any(%s::text[]) order by registered_at, key_id"
_LIKE = _COLUMNS + "where tenant = %s and starts_with(sender, %s) order by sender, registered_at, key_id"
# Workers elsewhere and the house sign no messages, and have no mailbox.
_SENDERS = """
select distinct sender from ops.sender_key
where tenant = %s and replaced_at is null and not starts_with(sender, 'worker:') and sender <> 'house' order by sender"""
_USED = """
update ops.sender_key set used_at = now()
where (tenant, sender, key_id) in (select * from unnest(%s::text[], %s::text[], %s::text[]))
  and (used_at is null or used_at < now() - interval '10 s')"""
_REVOKE = """
update ops.sender_key set replaced_at = now() where tenant = %s and sender = %s and key_id = %s and replaced_at is null"""
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
    registered_at: datetime | None = None
    used_at: datetime | None = None


async def keys_of(connection: Connection, tenant: str, senders: Iterable[str]) -> list[KeyRow]:
    """Return all keys of these senders, the oldest first."""
    return await _rows(connection, _OF, (tenant, sorted(set(senders))))


async def keys_of_sources(connection: Connection, tenant: str, sources: Iterable[str]) -> list[KeyRow]:
    """Return all keys of sources of workers elsewhere, and of each of their workers, the oldest first."""
    return await _rows(connection, _OF_SOURCES, (tenant, sorted({signer_of(source) for source in sources})))


async def keys_like(connection: Connection, tenant: str, beginning: str) -> list[KeyRow]:
    """Return all keys of senders whose name begins so, by sender, the oldest first."""
    return await _rows(connection, _LIKE, (tenant, beginning))


async def _rows(connection: Connection, query: LiteralString, values: tuple[Any, ...]) -> list[KeyRow]:
    cursor = await connection.execute(query, values)
    return [
        KeyRow(whose, sender, key_id, public_key, msgspec.json.decode(scope, type=Scope), replaces, until, since, used)
        for whose, sender, key_id, public_key, scope, replaces, until, since, used in await cursor.fetchall()
    ]


async def senders(connection: Connection, tenant: str) -> list[str]:
    """Return everybody who has a key for messages in use, sorted."""
    return [str(row[0]) for row in await (await connection.execute(_SENDERS, (tenant,))).fetchall()]


async def note_use(connection: Connection, keys: Sequence[KeyRow]) -> None:
    """Note that keys were used just now."""
    if keys:
        columns = tuple([getattr(key, name) for key in keys] for name in ("tenant", "sender", "key_id"))
        await connection.execute(_USED, columns)


async def revoke(connection: Connection, tenant: str, sender: str, key_id: str) -> None:
    """Take one key out of use; done again it changes nothing."""
    await connection.execute(_REVOKE, (tenant, sender, key_id))


async def put(connection: Connection, row: KeyRow) -> None:
    """Put a key in use, in the place of the one that it replaces, if any; written again it changes nothing."""
    async with connection.transaction():
        known = {one.key_id for one in await keys_of(connection, row.tenant, [row.sender])}
        if row.key_id not in known:
            if row.replaces is not None:
                await connection.execute(_RETIRE, (row.tenant, row.sender))
            scope = msgspec.json.encode(row.scope).decode()
            await connection.execute(_PUT, (row.tenant, row.sender, row.key_id, row.public_key, scope, row.replaces))
