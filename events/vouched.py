"""What workers elsewhere sign, and what is signed for them: plain bytes that every language can make.

The signature is in the header `ce_signature` (base64), the id of the key in `ce_keyid`. It covers the topic, who speaks, the
record's id and time (so that a replay is seen), and every byte of the value. A command names the topic that it is for in the
header `ce_audience`: copied to another one, it still shows where it belongs.
"""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

SIGNED = "smolit:worker:1"
COMMANDED = "smolit:command:1"
WORKER = "worker:"  # what senders begin with that are workers elsewhere; their keys sign nothing else
WORKS = "worker"  # the kind of message in the scope of such a key
OPERATOR = "operator"  # who signs for what only the house's operator may do
HOUSE = "house"  # who signs commands
COMMANDS = "command"  # the kind of message in the scope of the house's key
_OF_WORKER = "#"  # between a source and the name of one of its workers; neither can hold it
SIGNATURE, KEY_ID, AUDIENCE = "ce_signature", "ce_keyid", "ce_audience"
COVERED = ("ce_type", "ce_source", "ce_id", "ce_time")


class Voucher(Struct, frozen=True):
    """A signature, the key that it is by, and what it has to cover."""

    key_id: str
    signature: str
    content: bytes


def signer_of(source: str, worker: str | None = None) -> str:
    """Return under which name the keys of a worker are kept; None: those of all of its source that have none of their own."""
    return f"{WORKER}{source}" if worker is None else f"{WORKER}{source}{_OF_WORKER}{worker}"


def source_of(signer: str) -> str:
    """Return the source of whose keys are kept under a name."""
    return signer.removeprefix(WORKER).partition(_OF_WORKER)[0]


def voucher_of(topic: str, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Voucher | None:
    """Return the signature of a record in binary mode; None: it has none, or a header is there twice or not at all."""
    found: dict[str, str] = {}
    for name, content in headers:
        lowered = name.lower()
        if lowered in (*COVERED, SIGNATURE, KEY_ID):
            if lowered in found or content is None:
                return None
            found[lowered] = content.decode("utf-8", "replace")
    if len(found) < len(COVERED) + 2:
        return None
    kind, source, event_id, time = (found[name] for name in COVERED)
    return Voucher(found[KEY_ID], found[SIGNATURE], signed_bytes(topic, kind, source, event_id, time, value or b""))


def signed_bytes(topic: str, kind: str, source: str, event_id: str, time: str, value: bytes, what: str = SIGNED) -> bytes:
    """Return what is signed: seven lines, the last one the sha256 of the value in lower-case hexadecimal.

    No line can hold a line break: the wire refuses control characters in every attribute.
    """
    return "\n".join((what, topic, kind, source, event_id, time, hashlib.sha256(value).hexdigest())).encode()
