"""Requests about the keys that senders and workers elsewhere sign with."""

from typing import Annotated

from events.conversation import Base64, KeyId, KeyOwner, Scope
from events.event import event
from events.field import says
from events.request.request import Reason, Request
from events.topics import REQUESTS


@event("key.register", version=1, topic=REQUESTS, key="sender")
class RegisterKey(Request, frozen=True, kw_only=True):
    """Let a sender sign with this key from now on; after the first one, the key before has to sign for it.

    For each key of a worker elsewhere the house's operator has to sign; it counts beside those that the worker has.
    """

    sender: KeyOwner
    public_key: Annotated[Base64, says("Ed25519 public key, base64.")]
    scope: Annotated[Scope, says("What it may be used for; a later key may have less of it, never more.")] = Scope()
    proof: Annotated[Base64, says("Signature of the key before over `key_bytes`; empty for the first.")] = ""


@event("key.revoke", version=1, topic=REQUESTS, key="sender")
class RevokeKey(Request, frozen=True, kw_only=True):
    """Let a key of a worker elsewhere count no more, from this moment on; only the house's operator can sign it."""

    sender: KeyOwner
    key_id: KeyId
    reason: Reason = ""
    proof: Annotated[Base64, says("The operator's signature over `revoke_bytes`.")]
