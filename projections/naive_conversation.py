"""The naive fold of conversations and memories; see `projections/naive.py`."""

import math
import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from events.conversation import (
    ContextUsed,
    KeyRegistered,
    KeyRevoked,
    MemoryCorrected,
    MemoryForgotten,
    MemoryLearned,
    MessageDelivered,
    MessageRefused,
    MessageSent,
    MessageSettled,
)
from projections.naive import Seen, Table

_WIDTH = 384
_LETTER = ("sender", "recipient", "kind", "text", "body", "priority", "expires_at", "in_reply_to")
_SAID = ("conversation_id", "place", *_LETTER, "sent_at", "delivered_at", "refused", "detail", "forgotten_at")
_KNOWN = ("agent", "subject", "text", "source", "method")


def messages(seen: Sequence[Seen]) -> Table:
    """Return each message as it was sent, and what became of it at the door."""
    table: Table = {}
    for item in seen:
        for place, said in _about(item):
            blank = {**dict(zip(("tenant", "message_id", "request_id"), place, strict=True)), **dict.fromkeys(_SAID)}
            row = table.setdefault(place, blank)
            row.update({name: value for name, value in said.items() if row[name] is None})
    for row in table.values():
        if row["forgotten_at"] is not None:
            row.update(text=None, body=None)
    return table


def _about(item: Seen) -> list[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Return which messages a fact is about, and what it says of each."""
    fact = item.fact
    match fact:
        case MessageSent(letter=letter):
            said = {name: getattr(letter, name) for name in _LETTER}
            said |= {"conversation_id": fact.conversation_id, "place": item.record.offset, "sent_at": item.at}
            return [((fact.tenant, letter.message_id, fact.request_id), said)]
        case MessageDelivered():
            said = {"conversation_id": fact.conversation_id, "delivered_at": item.at}
            return [((fact.tenant, fact.message_id, fact.request_id), said)]
        case MessageRefused():
            said = {"conversation_id": fact.conversation_id, "refused": fact.reason, "detail": fact.detail}
            return [((fact.tenant, fact.message_id, fact.request_id), said)]
        case MemoryForgotten():
            return [((fact.tenant, one.message_id, one.request_id), {"forgotten_at": item.at}) for one in fact.messages]
        case _:
            return []


def message_ends(seen: Sequence[Seen]) -> Table:
    """Return what each recipient did with each message: the first that was said."""
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, MessageSettled):
            row = {**msgspec.structs.asdict(fact), "settled_at": item.at}
            table.setdefault((fact.tenant, fact.message_id, fact.recipient), row)
    return table


def contexts(seen: Sequence[Seen]) -> Table:
    """Return what each answer was made with."""
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, ContextUsed):
            row = {**msgspec.structs.asdict(fact), "memories": list(fact.memories), "used_at": item.at}
            table.setdefault((fact.tenant, fact.conversation_id, fact.message_id), row)
    return table


_OF_KEY = ("public_key", "scope", "replaces", "registered_at", "revoked_at")


def sender_keys(seen: Sequence[Seen]) -> Table:
    """Return every key."""
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, KeyRegistered):
            names = ("tenant", "sender", "key_id", "public_key", "replaces")
            row = {**{name: getattr(fact, name) for name in names}, "scope": msgspec.to_builtins(fact.scope)}
            table.setdefault((fact.tenant, fact.sender, fact.key_id), {**row, "registered_at": item.at, "revoked_at": None})
    for item in seen:
        if isinstance(fact := item.fact, KeyRevoked):
            unknown = {"tenant": fact.tenant, "sender": fact.sender, "key_id": fact.key_id, **dict.fromkeys(_OF_KEY)}
            key = table.setdefault((fact.tenant, fact.sender, fact.key_id), unknown)
            key["revoked_at"] = key["revoked_at"] or item.at
    return table


def memories(seen: Sequence[Seen]) -> Table:
    """Return every memory; of what is forgotten neither words nor vector."""
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, MemoryLearned | MemoryCorrected):
            table.setdefault((fact.tenant, fact.user, fact.memory_id), _unknown(fact)).update(_memory(fact, item))
    first: dict[tuple[str, str, str], Any] = {}
    for item in seen:
        if isinstance(fact := item.fact, MemoryForgotten):
            place = (fact.tenant, fact.user, fact.memory_id)
            first[place] = min(first.get(place, item.at), item.at)
            table.setdefault(place, _unknown(fact)).update(text=None, embedding=None, forgotten_at=first[place])
    return table


def _unknown(fact: MemoryLearned | MemoryCorrected | MemoryForgotten) -> dict[str, Any]:
    """Return the row of a memory of which nothing is known."""
    rest = (*_KNOWN, "place", "embedding", "features_version", "replaces", "learned_at", "forgotten_at")
    return {"tenant": fact.tenant, "person": fact.user, "memory_id": fact.memory_id, **dict.fromkeys(rest)}


def _memory(fact: MemoryLearned | MemoryCorrected, item: Seen) -> dict[str, Any]:
    return {
        **{name: getattr(fact, name) for name in _KNOWN},
        "place": item.record.offset,
        "embedding": _sent(fact.features.embedding),
        "features_version": fact.features.version,
        "replaces": fact.replaces if isinstance(fact, MemoryCorrected) else None,
        "learned_at": item.at,
    }


def _sent(embedding: bytes) -> bytes | None:
    """Return a vector as Postgres sends an array of float4; None for one that cannot be compared."""
    if len(embedding) != 2 * _WIDTH:
        return None
    numbers = struct.unpack(f"<{_WIDTH}e", embedding)
    if not all(math.isfinite(number) for number in numbers) or not any(numbers):
        return None
    return struct.pack(">5i", 1, 0, 700, _WIDTH, 1) + b"".join(struct.pack(">if", 4, number) for number in numbers)
