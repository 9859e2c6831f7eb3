"""What a worker that lives elsewhere signs, and where the signature stands: plain bytes that every language can make.

The signature is in the header `ce_signature` (base64), the id of the key in `ce_keyid`. It covers the topic (so the tenant), who
speaks, the request's id and time (so that a replay is seen), and every byte of the value.
"""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

SIGNED = "smolit:worker:1"
WORKER = "worker:"  # what senders begin with that are sources of workers; their keys sign nothing else
WORKS = "worker"  # the kind of message in the scope of such a key
OPERATOR = "operator"  # who signs for what only the house's operator may do
_SIGNATURE, _KEY = "ce_signature", "ce_keyid"
_COVERED = ("ce_type", "ce_source", "ce_id", "ce_time")


class Voucher(Struct, frozen=True):
    """A signature, the key that it is by, and what it has to cover."""

    key_id: str
    signature: str
    content: bytes


def voucher_of(topic: str, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Voucher | None:
    """Return the signature of a record in binary mode; None: it has none, or a header is there twice or not at all."""
    found: dict[str, str] = {}
    for name, content in headers:
        lowered = name.lower()
        if lowered in (*_COVERED, _SIGNATURE, _KEY):
            if lowered in found or content is None:
                return None
            found[lowered] = content.decode("utf-8", "replace")
    if len(found) < len(_COVERED) + 2:
        return None
    kind, source, event_id, time = (found[name] for name in _COVERED)
    return Voucher(found[_KEY], found[_SIGNATURE], signed_bytes(topic, kind, source, event_id, time, value or b""))


def signed_bytes(topic: str, kind: str, source: str, event_id: str, time: str, value: bytes) -> bytes:
    """Return what a worker signs: seven lines, the last one the sha256 of the value in lower-case hexadecimal.

    No line can hold a line break: the wire refuses control characters in every attribute.
    """
    return "\n".join((SIGNED, topic, kind, source, event_id, time, hashlib.sha256(value).hexdigest())).encode()
