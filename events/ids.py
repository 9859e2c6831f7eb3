"""Ids: new ones are UUIDv7 (RFC 9562), derived ones are UUIDv5 over the slot they fill.

Derived ids make repeats harmless: a step run again fills the same slot, and the first record in the log wins.
"""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("6f0f7a52-6d43-5b58-9c0e-1d7a1f4f7e10")  # ours, drawn once; changing it would rename every fact


def derived_id(*parts: str | int) -> str:
    """Return the id of the slot named by `parts`; JSON keeps ("a", "bc") and ("ab", "c") apart.

    A UUIDv5 of their JSON array without spaces, by hand: dozens are made for each task, in a third of the time.
    """
    name = ",".join([encode_basestring_ascii(part) if isinstance(part, str) else str(part) for part in parts])
    octets = bytearray(hashlib.sha1(_NAMESPACE.bytes + f"[{name}]".encode(), usedforsecurity=False).digest()[:16])
    octets[6] = 0x50 | (octets[6] & 0x0F)
    octets[8] = 0x80 | (octets[8] & 0x3F)
    return _hyphenated(octets)


def task_id(tenant: str, source: str, request_id: str) -> str:
    """Return the id of the task that this request creates, so that a producer can name it before it exists."""
    return derived_id("task", tenant, source, request_id)


def request_key(tenant: str, source: str, request_id: str) -> str:
    """Return the id under which intake remembers a request."""
    return derived_id("request", tenant, source, request_id)


def new_id(now: datetime, entropy: bytes) -> str:
    """Return a UUIDv7 from a UTC time and ten random bytes.

    Raises:
        ValueError: fewer than ten bytes of entropy.
    """
    if len(entropy) < 10:
        raise ValueError("a UUIDv7 needs ten bytes of entropy")
    millis = ((now - _EPOCH) // timedelta(milliseconds=1)).to_bytes(6, "big")  # exact: a float would lose a millisecond at times
    octets = bytearray(millis + entropy[:10])
    octets[6] = 0x70 | (octets[6] & 0x0F)
    octets[8] = 0x80 | (octets[8] & 0x3F)
    return _hyphenated(octets)


def _hyphenated(octets: bytearray) -> str:
    """Return sixteen octets as a UUID is written."""
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
