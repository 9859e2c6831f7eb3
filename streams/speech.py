"""From a request about conversations or memory to its fact, or why it has none. Pure: keys and features come in."""

import hashlib
from collections.abc import Callable, Sequence

from agents.signature import is_signed
from events.conversation import (
    KeyRegistered,
    KeyRevoked,
    MemoryCorrected,
    MemoryForgotten,
    MemoryLearned,
    MessageSent,
    Scope,
    key_bytes,
    key_name,
    revoke_bytes,
)
from events.event import Fact
from events.ids import derived_id
from events.request import ForgetMemory, RegisterKey, Remember, RevokeKey, SendMessage
from events.task import Features
from events.vouched import HOUSE, WORKER, WORKS
from store.sender_key import KeyRow
from streams.admission import Asked, Refused

SPEECH = (SendMessage, Remember, ForgetMemory)


def speech_fact(asked: Asked, request: SendMessage | Remember | ForgetMemory, read: Callable[[str], Features]) -> Fact:
    """Return the fact of a message or of a change of memory; whether a message may be delivered is found by its recipient."""
    match request:
        case SendMessage(letter=letter):
            return MessageSent(
                tenant=asked.tenant,
                conversation_id=letter.conversation_id,
                letter=letter,
                request_id=derived_id("sent by", asked.envelope.source, asked.envelope.id),
            )
        case Remember():
            return _remembered(asked, request, read(request.text))
        case ForgetMemory():
            return MemoryForgotten(
                tenant=asked.tenant,
                user=request.user,
                memory_id=request.memory_id,
                request_id=asked.envelope.id,
                reason=request.reason,
                messages=request.messages,
            )


def note_subject(text: str) -> str:
    """Return the subject of a note: its own text, so that notes do not contradict each other."""
    return f"note:{hashlib.sha256(text.strip().lower().encode()).hexdigest()[:12]}"


def _remembered(asked: Asked, request: Remember, features: Features) -> MemoryLearned | MemoryCorrected:
    memory_id = derived_id("memory", asked.tenant, request.user, asked.envelope.source, asked.envelope.id)
    subject = request.subject or note_subject(request.text)
    if request.replaces is not None:
        return MemoryCorrected(
            tenant=asked.tenant,
            user=request.user,
            agent=request.agent,
            memory_id=memory_id,
            replaces=request.replaces,
            subject=subject,
            text=request.text,
            features=features,
            source=asked.envelope.id,
            method="person",
        )
    return MemoryLearned(
        tenant=asked.tenant,
        user=request.user,
        agent=request.agent,
        memory_id=memory_id,
        subject=subject,
        text=request.text,
        features=features,
        source=asked.envelope.id,
        method="person",
    )


def key_fact(asked: Asked, request: RegisterKey, known: Sequence[KeyRow], operator: str = "") -> KeyRegistered:
    """Return that a sender has a new key; `known` are all keys it ever had, the oldest first.

    The operator's public key has to have signed for every key of a worker elsewhere, the first one, too; such keys replace none.

    Raises:
        Refused: the key before did not sign for it, it was in use before, it would be allowed more, or it would be the house's.
    """
    if request.sender == HOUSE:
        raise Refused("bad_sender", "sender: the house announces its key itself")
    name = key_name(request.public_key)
    again = next((row for row in known if row.key_id == name), None)
    last = known[-1] if known else None
    if again is not None and again.replaced_at is not None:
        raise Refused("key_retired", "public_key: this key was replaced by another one, or revoked")
    if request.sender.startswith(WORKER):
        _check_vouched_for(asked.tenant, request, operator)
        last = None
    elif again is None and last is not None:
        _check_handed_over(asked.tenant, request, last)
    before = again.replaces if again is not None else (last.key_id if last is not None else None)
    return KeyRegistered(
        tenant=asked.tenant,
        sender=request.sender,
        request_id=asked.envelope.id,
        key_id=name,
        public_key=request.public_key,
        scope=again.scope if again is not None else request.scope,
        replaces=before,
    )


def revoked_fact(asked: Asked, request: RevokeKey, known: Sequence[KeyRow], operator: str) -> KeyRevoked:
    """Return that a key of a worker elsewhere counts no more; `known` are all keys it ever had.

    Raises:
        Refused: the operator did not sign this, or there is no such key.
    """
    if not is_signed(operator, revoke_bytes(asked.tenant, request.sender, request.key_id), request.proof):
        raise Refused("bad_proof", "proof: only the house's operator revokes a key; use `smolit agent revoke-key`")
    if not request.sender.startswith(WORKER) or request.key_id not in {row.key_id for row in known}:
        raise Refused("unknown_key", f"key_id: {request.sender} has no such key; `smolit agent keys` lists all")
    return KeyRevoked(
        tenant=asked.tenant,
        sender=request.sender,
        key_id=request.key_id,
        request_id=asked.envelope.id,
        reason=request.reason,
    )


def _check_vouched_for(tenant: str, request: RegisterKey, operator: str) -> None:
    content = key_bytes(tenant, request.sender, request.public_key, request.scope)
    if request.scope.kinds != (WORKS,):
        raise Refused("bad_scope", f"scope: the key of a worker signs what workers say, so its kinds are [{WORKS!r}]")
    if not is_signed(operator, content, request.proof):
        raise Refused("bad_proof", "proof: only the house's operator lets a worker sign; use `smolit agent key`")


def _check_handed_over(tenant: str, request: RegisterKey, last: KeyRow) -> None:
    content = key_bytes(tenant, request.sender, request.public_key, request.scope)
    if not is_signed(last.public_key, content, request.proof):
        raise Refused("bad_proof", f"proof: {request.sender} has a key, and it did not sign for this one")
    if not _is_within(request.scope, last.scope):
        raise Refused("scope_widened", "scope: a later key may be allowed less than the one before, never more")


def _is_within(new: Scope, old: Scope) -> bool:
    """Return whether a scope allows nothing that the other does not; empty allows all."""
    pairs = ((new.kinds, old.kinds), (new.recipients, old.recipients))
    return all(not had or (bool(has) and set(has) <= set(had)) for has, had in pairs)
