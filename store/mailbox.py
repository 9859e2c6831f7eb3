"""Mailboxes: messages that wait for a recipient, urgent ones first, taken under a lease and settled once.

A settled message leaves its mailbox; what is known of every message that was delivered stays, to tell replays and replies.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, Integer, LargeBinary, SmallInteger, Table, Text
from sqlalchemy import text as sql

from events.conversation import Letter, MessageSent
from events.event import Envelope, Event
from store.metadata import metadata
from store.postgres import Connection

talk = Table(
    "talk",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose conversation it is"),
    Column("conversation_id", Text, primary_key=True, comment="id of the conversation"),
    Column("opened_by", Text, nullable=False, comment="sender of its first message that was delivered"),
    comment="Who began each conversation: of people nobody else writes into it.",
)
known_message = Table(
    "known_message",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose message it is"),
    Column("message_id", Text, primary_key=True, comment="id of the message"),
    Column("conversation_id", Text, nullable=False, comment="conversation that it belongs to"),
    Column("sender", Text, nullable=False, comment="who said it"),
    Column("recipient", Text, nullable=False, comment="for whom"),
    Column("answered", Boolean, nullable=False, server_default=sql("false"), comment="a response or an error came"),
    Column("expires_at", DateTime(timezone=True), nullable=True, comment="from when on an answer is late; null: never"),
    comment="Messages that were delivered: what comes twice is a replay, and a reply has something to answer.",
)
mailbox = Table(
    "mailbox",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose message it is"),
    Column("recipient", Text, primary_key=True, comment="in whose mailbox it lies"),
    Column("message_id", Text, primary_key=True, comment="id of the message"),
    Column("number", BigInteger, Identity(), nullable=False, comment="order of arrival"),
    Column("priority", SmallInteger, nullable=False, comment="9 first, 0 last"),
    Column("expires_at", DateTime(timezone=True), nullable=True, comment="not handled from then on; null: never expires"),
    Column("fact", LargeBinary, nullable=False, comment="the message as it was sent, as JSON"),
    Column("cause", LargeBinary, nullable=False, comment="envelope of the message, as JSON"),
    Column("epoch", Integer, nullable=False, server_default=sql("0"), comment="how often it was taken"),
    Column("taken_by", Text, nullable=True, comment="who took it last"),
    Column("lease_until", DateTime(timezone=True), nullable=True, comment="taken until then; null: it waits"),
    Index("mailbox_next", "recipient", sql("priority desc"), "number"),
    comment="Messages that wait for a recipient or are being handled; settled ones are gone.",
)

_KNOWN = "select message_id, conversation_id, sender, recipient, answered, expires_at from ops.known_message where tenant = %s and message_id = any(%s::text[])"  # noqa: E501
_OPENED = "select conversation_id, opened_by from ops.talk where tenant = %s and conversation_id = any(%s::text[])"
_DEPTH = "select recipient, count(*) from ops.mailbox where tenant = %s and recipient = any(%s::text[]) group by recipient"
_OPEN = "insert into ops.talk select * from unnest(%s::text[], %s::text[], %s::text[]) on conflict do nothing"
_KNOW = """
insert into ops.known_message (tenant, message_id, conversation_id, sender, recipient, expires_at)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[]) on conflict do nothing"""
_ANSWERED = "update ops.known_message set answered = true where tenant = %s and message_id = any(%s::text[])"
_PUT = """
with put as (
  insert into ops.mailbox (tenant, recipient, message_id, priority, expires_at, fact, cause)
  select * from unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::bytea[], %s::bytea[])
  on conflict do nothing
)
select pg_notify('mailbox', '')"""
_WAITING = """
select distinct tenant, recipient from ops.mailbox
where recipient <> %s and (lease_until is null or lease_until < now()) and (expires_at is null or expires_at > now())"""
_TAKE = """
with next as (
  select tenant, recipient, message_id from ops.mailbox
  where recipient = any(%s::text[]) and (%s::text is null or tenant = %s) and (lease_until is null or lease_until < now())
    and (expires_at is null or expires_at > now())
  order by priority desc, number limit %s for update skip locked
)
update ops.mailbox as box set epoch = box.epoch + 1, taken_by = %s, lease_until = now() + make_interval(secs => %s)
from next where box.tenant = next.tenant and box.recipient = next.recipient and box.message_id = next.message_id
returning box.recipient, box.epoch, box.priority, box.number, box.fact, box.cause"""
_LYING = """
select recipient, epoch, priority, number, fact, cause from ops.mailbox
where tenant = %s and recipient = %s and message_id = %s"""
_SETTLE = """
delete from ops.mailbox where tenant = %s and recipient = %s and message_id = %s and epoch = %s returning message_id"""
_RENEW = """
update ops.mailbox set lease_until = now() + make_interval(secs => %s)
where tenant = %s and recipient = %s and message_id = %s and epoch = %s returning message_id"""
_EXPIRED = """
delete from ops.mailbox where (tenant, recipient, message_id) in (
  select tenant, recipient, message_id from ops.mailbox
  where expires_at <= now() and (lease_until is null or lease_until < now()) limit %s for update skip locked)
returning recipient, epoch, priority, number, fact, cause"""


class Known(Struct, frozen=True):
    """What is known of a message that was delivered."""

    message_id: str
    conversation_id: str
    sender: str
    recipient: str
    answered: bool
    expires_at: datetime | None


class Taken(Struct, frozen=True):
    """A message that is ours until its lease runs out."""

    recipient: str
    epoch: int
    priority: int
    number: int
    event: Event[MessageSent]

    @property
    def letter(self) -> Letter:
        """Return the message."""
        return self.event.fact.letter


class Address(Struct, frozen=True, order=True):
    """Whose mailbox it is."""

    tenant: str
    recipient: str


class Delivery(Struct, frozen=True):
    """A message and in whose mailboxes it goes."""

    event: Event[MessageSent]
    boxes: tuple[str, ...]


async def known(connection: Connection, tenant: str, message_ids: Iterable[str]) -> dict[str, Known]:
    """Return what is known of these messages, by id."""
    cursor = await connection.execute(_KNOWN.encode(), (tenant, sorted(set(message_ids))))
    return {row[0]: Known(*row) for row in await cursor.fetchall()}


async def opened(connection: Connection, tenant: str, conversations: Iterable[str]) -> dict[str, str]:
    """Return who opened each of these conversations."""
    cursor = await connection.execute(_OPENED, (tenant, sorted(set(conversations))))
    return {str(one): str(who) for one, who in await cursor.fetchall()}


async def depth(connection: Connection, tenant: str, recipients: Iterable[str]) -> dict[str, int]:
    """Return how many messages lie in each mailbox; one without any is absent."""
    cursor = await connection.execute(_DEPTH, (tenant, sorted(set(recipients))))
    return {str(one): int(count) for one, count in await cursor.fetchall()}


async def deliver(connection: Connection, deliveries: Sequence[Delivery], answered: Mapping[str, Sequence[str]]) -> None:
    """Put messages into mailboxes, remember them, and note which were answered by them (ids by tenant)."""
    facts = [one.event.fact for one in deliveries]
    if facts:
        openings = {(fact.tenant, fact.conversation_id): fact.letter.sender for fact in reversed(facts)}
        places = sorted(openings)
        rows = ([key[0] for key in places], [key[1] for key in places], [openings[key] for key in places])
        await connection.execute(_OPEN, rows)
        await connection.execute(_KNOW, _known_columns(facts))
        boxes = [(one.event, box) for one in deliveries for box in one.boxes]
        if boxes:
            await connection.execute(_PUT, _box_columns(boxes))
    for tenant, ids in sorted(answered.items()):
        await connection.execute(_ANSWERED, (tenant, sorted(ids)))


def _known_columns(facts: Sequence[MessageSent]) -> tuple[list[object], ...]:
    return (
        [fact.tenant for fact in facts],
        [fact.letter.message_id for fact in facts],
        [fact.conversation_id for fact in facts],
        [fact.letter.sender for fact in facts],
        [fact.letter.recipient for fact in facts],
        [fact.letter.expires_at for fact in facts],
    )


def _box_columns(boxes: Sequence[tuple[Event[MessageSent], str]]) -> tuple[list[object], ...]:
    return (
        [event.fact.tenant for event, _ in boxes],
        [box for _, box in boxes],
        [event.fact.letter.message_id for event, _ in boxes],
        [event.fact.letter.priority for event, _ in boxes],
        [event.fact.letter.expires_at for event, _ in boxes],
        [msgspec.json.encode(event.fact) for event, _ in boxes],
        [msgspec.json.encode(event.envelope) for event, _ in boxes],
    )


async def take(
    connection: Connection, who: str, recipients: Sequence[str], limit: int, lease_s: float, tenant: str | None = None
) -> list[Taken]:
    """Take messages out of these mailboxes, urgent ones first, then old ones; what has expired stays for `expired`.

    `tenant`: of this one only.
    """
    cursor = await connection.execute(_TAKE, (list(recipients), tenant, tenant, limit, who, lease_s))
    taken = [_taken(row) for row in await cursor.fetchall()]
    return sorted(taken, key=lambda one: (-one.priority, one.number))


async def waiting(connection: Connection, but: str) -> list[Address]:
    """Return the mailboxes with something to take, in order, but those of one recipient."""
    cursor = await connection.execute(_WAITING.encode(), (but,))
    return sorted(Address(str(tenant), str(recipient)) for tenant, recipient in await cursor.fetchall())


async def lying(connection: Connection, tenant: str, recipient: str, message_id: str) -> Taken | None:
    """Return a message that waits in a mailbox or is being handled; None: it was settled, or never there."""
    row = await (await connection.execute(_LYING, (tenant, recipient, message_id))).fetchone()
    return None if row is None else _taken(row)


async def renew(connection: Connection, taken: Taken, lease_s: float) -> bool:
    """Keep a message for longer; false if it is not ours any more."""
    row = await (await connection.execute(_RENEW, (lease_s, *_place(taken)))).fetchone()
    return row is not None


async def settle(connection: Connection, taken: Taken) -> bool:
    """Remove a message that was handled, in the caller's transaction; false if somebody else took it meanwhile."""
    return await (await connection.execute(_SETTLE, _place(taken))).fetchone() is not None


async def expired(connection: Connection, limit: int) -> list[Taken]:
    """Remove what nobody handled in time, in the caller's transaction, and return it."""
    return [_taken(row) for row in await (await connection.execute(_EXPIRED, (limit,))).fetchall()]


def _place(taken: Taken) -> tuple[str, str, str, int]:
    return (taken.event.fact.tenant, taken.recipient, taken.letter.message_id, taken.epoch)


def _taken(row: Sequence[object]) -> Taken:
    recipient, epoch, priority, number, fact, cause = row
    envelope = msgspec.json.decode(bytes(cause), type=Envelope)  # type: ignore[call-overload]
    event = Event(envelope, msgspec.json.decode(bytes(fact), type=MessageSent))  # type: ignore[call-overload]
    return Taken(str(recipient), int(epoch), int(priority), int(number), event)  # type: ignore[call-overload]
