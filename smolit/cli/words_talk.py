"""What events of conversations and memories say, in a few words for people."""

from collections.abc import Callable, Mapping
from typing import Any

Payload = Mapping[str, Any]


def _sent(said: Payload) -> str:
    letter = said["letter"]
    return f"{letter['sender']} to {letter['recipient']}, {letter['kind']} {letter['message_id']}: {letter['text'][:100]}"


def _delivered(said: Payload) -> str:
    return f"message {said['message_id']} delivered to {', '.join(said['recipients']) or 'the thread'}"


def _refused(said: Payload) -> str:
    return f"message {said['message_id']} of {said['sender']} refused: {said['detail']} ({said['reason']})"


def _settled(said: Payload) -> str:
    why = f" ({said['reason']})" if said.get("reason") else ""
    return f"message {said['message_id']} {said['outcome']} by {said['recipient']}{why}"


def _learned(said: Payload) -> str:
    return f"remembered of {said['user']}, {said['subject']}: {said['text']}"


def _used(said: Payload) -> str:
    memories = f", {len(said['memories'])} memories" if said.get("memories") else ""
    return f"message {said['message_id']} answered with {said['used_tokens']} of {said['budget_tokens']} tokens{memories}"


WORDS: Mapping[str, Callable[[Payload], str]] = {
    "key.registered": lambda said: f"{said['sender']} signs with key {said['key_id']}",
    "key.revoked": lambda said: f"key {said['key_id']} of {said['sender']} counts no more",
    "message.sent": _sent,
    "message.delivered": _delivered,
    "message.refused": _refused,
    "message.settled": _settled,
    "memory.learned": _learned,
    "memory.corrected": lambda said: f"{_learned(said)}, instead of {said['replaces']}",
    "memory.forgotten": lambda said: f"memory {said['memory_id']} of {said['user']} forgotten: {said['reason']}",
    "context.used": _used,
    "piece.spoken": lambda said: f"piece {said['number']} of the answer to {said['message_id']}: {said['text'][:100]}",
}
