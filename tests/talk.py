"""Facts of conversations and memories for tests, and letters that are really signed."""

import random
from datetime import datetime
from typing import Any

from agents.signature import Key
from events.conversation import (
    ContextUsed,
    KeyRegistered,
    KeyRevoked,
    Letter,
    MemoryCorrected,
    MemoryForgotten,
    MemoryLearned,
    MessageDelivered,
    MessageRefused,
    MessageSent,
    MessageSettled,
    Scope,
    Spoken,
)
from events.event import Event, Fact
from events.stamp import stamp
from store.sender_key import KeyRow
from tests.builders import TENANT, features, halves, moment, stamped

ANN, FRONT = Key("user:ann", b"a" * 32), Key("front", b"f" * 32)


def letter(message_id: str = "m1", **fields: Any) -> Letter:
    """Return what Ann asks of the front, unsigned."""
    defaults: dict[str, Any] = {
        "conversation_id": "c1",
        "sender": "user:ann",
        "recipient": "front",
        "kind": "query",
        "text": "hello",
    }
    return Letter(message_id=message_id, **{**defaults, **fields})


def sent(one: Letter, key: Key | None = ANN, at: float = 0, request_id: str | None = None) -> Event[MessageSent]:
    """Return a message as intake publishes it; `key` None: it is not signed."""
    signed = one if key is None else key.signed(TENANT, one)
    request = request_id or f"request-{one.message_id}"
    fact = MessageSent(tenant=TENANT, conversation_id=one.conversation_id, letter=signed, request_id=request)
    return stamp(fact, source="tests", now=moment(at), correlation=one.conversation_id, cause=request)


def key_row(key: Key, scope: Scope | None = None, replaced_at: datetime | None = None) -> KeyRow:
    """Return a registered key."""
    return KeyRow(TENANT, key.sender, key.name, key.public, scope or Scope(), None, replaced_at)


def learned(number: int, user: str = "ann", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return that something is remembered, with a vector that can be compared."""
    rng = random.Random(number)
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "memory_id": f"memory-{number}",
        "subject": "home",
        "text": f"I live in town {number}",
        "features": features(embedding=halves([rng.gauss(0, 1) for _ in range(384)])),
        "source": f"m{number}",
        "method": "rules/1",
    }
    cls = MemoryCorrected if "replaces" in fields else MemoryLearned
    return stamped(cls(user=user, **{**defaults, **fields}), at)


def forgot(number: int, user: str = "ann", at: float = 5, messages: tuple[Spoken, ...] = ()) -> Event[Fact]:
    """Return that something is forgotten."""
    named = {"memory_id": f"memory-{number}", "request_id": f"forget-{number}", "reason": "asked"}
    return stamped(MemoryForgotten(tenant=TENANT, user=user, messages=messages, **named), at)


def conversation(rng: random.Random, number: int) -> list[Event[Fact]]:
    """Return a conversation of a few messages, some refused or parked, and what is remembered; it need not make sense."""
    name, story = f"talk-{number}", []
    key = {"request_id": f"key-{number}", "key_id": f"k{number}", "public_key": "cHVibGlj", "scope": Scope(kinds=("query",))}
    story.append(stamped(KeyRegistered(tenant=TENANT, sender=f"user:{number}", replaces=None, **key), 1))
    if number % 2 == 0:
        gone = {"request_id": f"revoke-{number}", "key_id": f"k{number + number // 2}"}  # the last one was never registered
        story.append(stamped(KeyRevoked(tenant=TENANT, sender=f"user:{number}", reason="lost", **gone), 2))
    for turn in range(rng.randint(2, 5)):
        one = letter(f"{name}-{turn}", conversation_id=name, text=f"turn {turn}", priority=turn, body={"turn": turn})
        said = sent(one, at=10 + turn)
        about = {"tenant": TENANT, "conversation_id": name, "message_id": one.message_id}
        named = {**about, "request_id": said.fact.request_id}
        story.append(Event(said.envelope, said.fact))
        if rng.random() < 0.7:
            story.append(stamped(MessageDelivered(**named, recipients=("front",)), 11 + turn))
            outcome = rng.choice(("handled", "expired", "parked"))
            story.append(stamped(MessageSettled(**about, recipient="front", outcome=outcome, reason=None), 12 + turn))
            used = {"budget_tokens": 700, "used_tokens": 10 + turn, "parts": {"question": 10 + turn}, "left_out": turn}
            story.append(stamped(ContextUsed(**about, **used, memories=(f"memory-{turn}",)), 12 + turn))
        else:
            story.append(stamped(MessageRefused(**named, sender="user:eve", reason="forged", detail="not hers"), 11 + turn))
    story.append(learned(10 * number, at=20))
    story.append(learned(10 * number + 1, at=21, replaces=f"memory-{10 * number}"))
    story.append(learned(10 * number + 2, at=22, subject="name", features=features()))
    if number % 2:
        story.append(forgot(10 * number + 1, at=23, messages=(Spoken(f"{name}-0", f"request-{name}-0"),)))
    return story
