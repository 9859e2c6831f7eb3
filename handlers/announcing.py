"""The house's public key, announced as a fact before the first command that is signed with it."""

from collections.abc import Sequence
from datetime import datetime

from agents.signature import Key
from events.conversation import KeyRegistered, Scope
from events.ids import derived_id
from events.stamp import stamp
from events.topics import CONVERSATIONS
from events.vouched import COMMANDS, HOUSE
from events.wire import Outgoing, encode
from handlers.ordering import SOURCE, House
from store import outbox, sender_key
from store.postgres import Connection
from store.sender_key import KeyRow


async def announce(connection: Connection, house: House, tenants: Sequence[str], now: datetime) -> None:
    """Announce the key that commands of each tenant are signed with, where it is a new one; the one before is replaced."""
    for tenant in tenants:
        key = house.key_of(tenant)
        async with connection.transaction():
            known = await sender_key.keys_of(connection, tenant, [HOUSE])
            if key.name not in {row.key_id for row in known}:
                row = _row(tenant, key, known[-1].key_id if known else None)
                await sender_key.put(connection, row)
                await outbox.put(connection, [_record(house, row, now)])


def _row(tenant: str, key: Key, before: str | None) -> KeyRow:
    return KeyRow(tenant, HOUSE, key.name, key.public, Scope(kinds=(COMMANDS,)), before, None)


def _record(house: House, row: KeyRow, now: datetime) -> Outgoing:
    fact = KeyRegistered(
        tenant=row.tenant,
        sender=row.sender,
        request_id=derived_id("announced", row.tenant, row.key_id),
        key_id=row.key_id,
        public_key=row.public_key,
        scope=row.scope,
        replaces=row.replaces,
    )
    return encode(house.names.of(CONVERSATIONS), stamp(fact, source=SOURCE, now=now, correlation=fact.key, cause=fact.request_id))
