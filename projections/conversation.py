"""Read models `messages`, `message_ends`, `contexts` and `sender_keys`: threads, what became of each message, and who may speak.

The order of a thread is that of the log: all messages of a conversation are in one partition.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.conversation import (
    ContextUsed,
    KeyRegistered,
    KeyRevoked,
    MemoryForgotten,
    MessageDelivered,
    MessageRefused,
    MessageSent,
    MessageSettled,
)
from projections.column import TIME, earliest, key, metadata, once
from projections.merge import Merge, Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

_MESSAGES = Table(
    "messages_v1",
    metadata,
    key("tenant", Text, "whose conversation it is"),
    key("message_id", Text, "id of the message"),
    key("request_id", Text, "what sent it; the same message under another one is a replay"),
    once("conversation_id", Text, "id of the conversation"),
    once("place", BigInteger, "offset in the conversation's partition: the order of the thread"),
    once("sender", Text, "who says it"),
    once("recipient", Text, "for whom; * is everybody"),
    once("kind", Text, "query, response, clarification, update, handoff, error or broadcast"),
    once("text", Text, "what is said; null: forgotten"),
    once("body", JSONB, "what goes with it, for programs; null: forgotten"),
    once("priority", Integer, "9 first, 0 last"),
    once("expires_at", TIME, "not handled from then on; null: never expires"),
    once("in_reply_to", Text, "the message that it answers"),
    once("sent_at", TIME, "when it was taken in"),
    once("delivered_at", TIME, "when it was checked and lay where its recipients find it"),
    once("refused", Text, "code of why it reached nobody"),
    once("detail", Text, "the same as a sentence"),
    earliest("forgotten_at", TIME, "since when its words are gone, with a memory that was read from them"),
    Index("messages_v1_thread", "tenant", "conversation_id", "place"),
    comment="Messages of conversations, in the order of the log.",
)
_ENDS = Table(
    "message_ends_v1",
    metadata,
    key("tenant", Text, "whose conversation it is"),
    key("message_id", Text, "id of the message"),
    key("recipient", Text, "who is done with it"),
    once("conversation_id", Text, "id of the conversation"),
    once("outcome", Text, "handled, expired or parked"),
    once("reason", Text, "why it was parked"),
    once("settled_at", TIME, "when"),
    comment="What each recipient did with a message.",
)
_CONTEXTS = Table(
    "contexts_v1",
    metadata,
    key("tenant", Text, "whose conversation it is"),
    key("conversation_id", Text, "id of the conversation"),
    key("message_id", Text, "the message that was answered"),
    once("budget_tokens", BigInteger, "tokens that the context may have"),
    once("used_tokens", BigInteger, "tokens that it has"),
    once("parts", JSONB, "tokens by sort of part"),
    once("left_out", BigInteger, "parts that had no room"),
    once("memories", JSONB, "ids of the memories that were used"),
    once("used_at", TIME, "when"),
    comment="What each answer was made with.",
)
_KEYS = Table(
    "sender_keys_v1",
    metadata,
    key("tenant", Text, "whose sender it is"),
    key("sender", Text, "agent, or `user:` and a name"),
    key("key_id", Text, "start of the key's sha256"),
    once("public_key", Text, "Ed25519 public key, base64"),
    once("scope", JSONB, "what the key may be used for"),
    once("replaces", Text, "id of the key before"),
    once("registered_at", TIME, "since when"),
    once("revoked_at", TIME, "since when it counts no more; null: it was not revoked"),
    comment="Public keys of those who send messages; one that another replaces, or that was revoked, is in use no more.",
)
_MERGE_MESSAGES = Merge(_MESSAGES, blanked={"text": "forgotten_at", "body": "forgotten_at"})


class MessageRow(Struct, frozen=True, kw_only=True):
    """One message of a thread; `outcomes` are what recipients did with it."""

    tenant: str
    conversation_id: str
    message_id: str
    request_id: str
    place: int | None
    sender: str | None
    recipient: str | None
    kind: str | None
    text: str | None
    body: dict[str, Any] | None
    priority: int | None
    expires_at: datetime | None
    in_reply_to: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    refused: str | None
    detail: str | None
    forgotten_at: datetime | None
    outcomes: list[dict[str, Any]]


class ConversationRow(Struct, frozen=True, kw_only=True):
    """One conversation: who began it, and how much was said."""

    conversation_id: str
    opened_by: str | None
    messages: int
    began_at: datetime | None
    last_at: datetime | None


class ContextRow(Struct, frozen=True, kw_only=True):
    """What one answer was made with."""

    message_id: str
    budget_tokens: int
    used_tokens: int
    parts: dict[str, int]
    left_out: int
    memories: list[str]
    used_at: datetime


_OUTCOMES = """coalesce((select json_agg(json_build_object('recipient', ended.recipient, 'outcome', ended.outcome,
    'reason', ended.reason) order by ended.recipient) from public.message_ends as ended
    where ended.tenant = said.tenant and ended.message_id = said.message_id), '[]') as outcomes"""
_COLUMNS = ", ".join(f"said.{name}" for name in MessageRow.__struct_fields__ if name != "outcomes")


async def thread(connection: Connection, tenant: str, conversation_id: str) -> list[MessageRow]:
    """Return a conversation's messages in the order of the log; none where the tenant has no such conversation."""
    query = f"""select {_COLUMNS}, {_OUTCOMES} from public.messages as said
        where said.tenant = %s and said.conversation_id = %s order by said.place"""  # noqa: S608 columns are ours
    return await fetch(connection, MessageRow, query, (tenant, conversation_id))


async def messages_with(connection: Connection, tenant: str, message_id: str, memory_id: str) -> list[MessageRow]:
    """Return the message that a memory was read from, its answers, and every later answer that the memory was used in."""
    query = f"""select {_COLUMNS}, {_OUTCOMES} from public.messages as said
        where said.tenant = %(tenant)s and said.delivered_at is not null
          and (said.message_id = %(id)s or said.kind <> 'query' and (said.in_reply_to = %(id)s or said.in_reply_to in (
            select used.message_id from public.contexts as used where used.tenant = %(tenant)s and used.memories ? %(memory)s)))
        order by said.place"""  # noqa: S608 columns are ours
    return await fetch(connection, MessageRow, query, {"tenant": tenant, "id": message_id, "memory": memory_id})


async def conversations(connection: Connection, tenant: str, user: str | None, limit: int) -> list[ConversationRow]:
    """Return a tenant's conversations, or those that one sender began, the last one first."""
    query = """select conversation_id, (array_agg(sender order by place))[1] as opened_by, count(*) as messages,
          min(sent_at) as began_at, max(sent_at) as last_at
        from public.messages where tenant = %(tenant)s and delivered_at is not null
        group by conversation_id
        having %(user)s::text is null or (array_agg(sender order by place))[1] = %(user)s
        order by last_at desc, conversation_id limit %(limit)s"""
    return await fetch(connection, ConversationRow, query, {"tenant": tenant, "user": user, "limit": limit})


async def contexts(connection: Connection, tenant: str, conversation_id: str) -> list[ContextRow]:
    """Return what each answer of a conversation was made with, oldest first."""
    columns = ", ".join(ContextRow.__struct_fields__)
    query = f"""select {columns} from public.contexts
        where tenant = %s and conversation_id = %s order by used_at, message_id"""  # noqa: S608 columns are ours
    return await fetch(connection, ContextRow, query, (tenant, conversation_id))


def message_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of messages."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case MessageSent(letter=letter):
            said = told(letter, "sender", "recipient", "kind", "text", "body", "priority", "expires_at", "in_reply_to")
            yield {**_message(fact, letter.message_id), **said, "place": logged.offset, "sent_at": at}
        case MessageDelivered():
            yield {**_message(fact, fact.message_id), "delivered_at": at}
        case MessageRefused():
            yield {**_message(fact, fact.message_id), "refused": fact.reason, "detail": fact.detail}
        case MemoryForgotten(messages=messages):
            for one in messages:
                yield {"tenant": fact.tenant, **told(one, "message_id", "request_id"), "forgotten_at": at}


def _message(fact: MessageSent | MessageDelivered | MessageRefused, message_id: str) -> Row:
    return {**told(fact, "tenant", "conversation_id", "request_id"), "message_id": message_id}


def write_messages(facts: Sequence[Logged]) -> list[Statement]:
    """Return what writes messages."""
    return _MERGE_MESSAGES.plan(row for logged in facts for row in message_rows(logged))


def end_rows(logged: Logged) -> Iterator[Row]:
    """Yield what a recipient did with a message."""
    fact = logged.event.fact
    if isinstance(fact, MessageSettled):
        row = told(fact, "tenant", "message_id", "recipient", "conversation_id", "outcome", "reason")
        yield {**row, "settled_at": logged.event.envelope.time}


def context_rows(logged: Logged) -> Iterator[Row]:
    """Yield what an answer was made with."""
    fact = logged.event.fact
    if isinstance(fact, ContextUsed):
        amounts = told(fact, "budget_tokens", "used_tokens", "parts", "left_out", "memories")
        yield {**told(fact, "tenant", "conversation_id", "message_id"), **amounts, "used_at": logged.event.envelope.time}


def key_rows(logged: Logged) -> Iterator[Row]:
    """Yield a key, or that it counts no more."""
    fact = logged.event.fact
    if isinstance(fact, KeyRevoked):
        yield {**told(fact, "tenant", "sender", "key_id"), "revoked_at": logged.event.envelope.time}
    if isinstance(fact, KeyRegistered):
        row = told(fact, "tenant", "sender", "key_id", "public_key", "scope", "replaces")
        yield {**row, "registered_at": logged.event.envelope.time}


_MESSAGES_VIEW = view_of("messages", _MESSAGES)
_ENDS_VIEW = view_of("message_ends", _ENDS)
_CONTEXTS_VIEW = view_of("contexts", _CONTEXTS)
_KEYS_VIEW = view_of("sender_keys", _KEYS)
MESSAGES = Projection(
    name="messages",
    version=1,
    tables=(_MESSAGES,),
    views=(_MESSAGES_VIEW,),
    reads=(MessageSent, MessageDelivered, MessageRefused, MemoryForgotten),
    compared=(compared(_MESSAGES_VIEW, _MESSAGES),),
    write=write_messages,
)
MESSAGE_ENDS = Projection(
    name="message_ends",
    version=1,
    tables=(_ENDS,),
    views=(_ENDS_VIEW,),
    reads=(MessageSettled,),
    compared=(compared(_ENDS_VIEW, _ENDS),),
    write=merging(_ENDS, end_rows),
)
CONTEXTS = Projection(
    name="contexts",
    version=1,
    tables=(_CONTEXTS,),
    views=(_CONTEXTS_VIEW,),
    reads=(ContextUsed,),
    compared=(compared(_CONTEXTS_VIEW, _CONTEXTS),),
    write=merging(_CONTEXTS, context_rows),
)
SENDER_KEYS = Projection(
    name="sender_keys",
    version=1,
    tables=(_KEYS,),
    views=(_KEYS_VIEW,),
    reads=(KeyRegistered, KeyRevoked),
    compared=(compared(_KEYS_VIEW, _KEYS),),
    write=merging(_KEYS, key_rows),
)
