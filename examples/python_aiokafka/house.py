"""Whether a command is the house's: signed by its key, for this topic, of now, and new; see docs/agents-remote.md."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FRESH = timedelta(seconds=60)
COVERED = ("ce_type", "ce_source", "ce_id", "ce_time")


def key_id(public: str) -> str:
    """Return how a public key, base64, is named."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]


class House:
    """The keys that commands are signed with: what `smolit agent house-key` shows, with commas between."""

    def __init__(self, keys: str) -> None:
        if not keys:
            raise SystemExit("SMOLIT_HOUSE_KEY is missing: it is what `smolit agent house-key` shows")
        opened = [one.strip() for one in keys.split(",")]
        self._keys = {key_id(one): Ed25519PublicKey.from_public_bytes(base64.b64decode(one)) for one in opened}
        self._seen: dict[str, datetime] = {}  # when a command was made, by its id

    def refuses(
        self, topic: str, headers: Sequence[tuple[str, bytes]], value: bytes, command: dict[str, Any], ours: str, now: datetime
    ) -> str | None:
        """Return why a command must not be done, or None; it may say when its answer is too late, and to which session it is."""
        found = {name: text.decode("utf-8", "replace") for name, text in headers}
        if len(found) < len(headers) or not {"ce_audience", "ce_keyid", "ce_signature", *COVERED} <= found.keys():
            return "unsigned"
        key = self._keys.get(found["ce_keyid"])
        if key is None:
            return "unknown_key"
        covered = [found[name] for name in COVERED]
        lines = ["smolit:command:1", found["ce_audience"], *covered, hashlib.sha256(value).hexdigest()]
        try:
            key.verify(base64.b64decode(found["ce_signature"], validate=True), "\n".join(lines).encode())
        except (InvalidSignature, ValueError):
            return "forged"
        if found["ce_audience"] != topic:
            return "foreign_pool"
        if command.get("session") not in (None, ours):
            return "late"
        return self._untimely(found["ce_id"], found["ce_time"], command.get("due"), now)

    def _untimely(self, event_id: str, time: str, told: str | None, now: datetime) -> str | None:
        """Return that a command is late or was there before; else remember it as long as it would be fresh."""
        made, due = datetime.fromisoformat(time), datetime.fromisoformat(told) if told else None
        if abs(now - made) > FRESH or (due is not None and due <= now):
            return "late"
        if event_id in self._seen:
            return "replayed"
        self._seen = {old: when for old, when in self._seen.items() if now - when <= FRESH} | {event_id: made}
        return None
