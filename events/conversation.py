"""Conversations: messages between people and agents, what became of each, who may speak, and what is remembered of it.

Key: the conversation's id, so that its messages stay in order; keys of senders and memories are keyed by whose they are.
"""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Moment, Name, says
from events.task import Features
from events.topics import CONVERSATIONS

KINDS = ("query", "response", "clarification", "update", "handoff", "error", "broadcast")
REPLIES = ("response", "clarification", "update", "error")  # what may answer a message
ENDS = ("response", "error")  # what ends the wait for an answer
EVERYBODY = "*"
USER = "user:"  # what senders begin with that are people: they read the thread, and have no mailbox

ConversationId = Annotated[Name, says("Id of the conversation.")]
MessageId = Annotated[Name, says("Id of the message, chosen by its sender; used once.")]
Sender = Annotated[Name, says("Who says it: an agent's id, or `user:` and a name.")]
KeyOwner = Annotated[
    Annotated[
        str,
        Meta(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]*(#[A-Za-z0-9][A-Za-z0-9._:@/+-]*)?$(?!\n)"),
    ],
    says("Whose key it is: a sender; `worker:`, a source of workers elsewhere, `#` and the name of one of them."),
]
KeyId = Annotated[Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")], says("Start of the key's sha256.")]
Recipient = Annotated[
    Annotated[str, Meta(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127})$(?!\n)")],
    says("Whom it is for; `*`: everybody who has a key, but the sender."),
]
Base64 = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9+/]*={0,2}$(?!\n)")]
Settled = Literal["handled", "expired", "parked"]
MemoryId = Annotated[Name, says("Id of the memory.")]
Whose = Annotated[Name, says("The user that it is about; nobody else's question ever finds it.")]


class Letter(Struct, frozen=True, forbid_unknown_fields=True):
    """What a sender signs: a message in a conversation.

    `kind` is one of those in `KINDS`; another one is kept and parked, so that an older release loses nothing.
    """

    conversation_id: ConversationId
    message_id: MessageId
    sender: Sender
    recipient: Recipient
    kind: Annotated[Name, says("query, response, clarification, update, handoff, error or broadcast.")]
    text: Annotated[str, Meta(max_length=100_000), says("What is said.")]
    body: Annotated[dict[str, Any], says("What goes with it, for programs.")] = {}
    priority: Annotated[int, Meta(ge=0, le=9), says("9 is handled first, 0 last.")] = 5
    expires_at: Annotated[Moment | None, says("From when on nobody need handle it; null: never.")] = None
    in_reply_to: Annotated[Name | None, says("The message that it answers.")] = None
    key_id: Annotated[str, Meta(max_length=64), says("Which key of the sender signed it.")] = ""
    signature: Annotated[Base64, says("Ed25519 signature over `signed_bytes`, base64.")] = ""


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """What a key may be used for; empty: anything. The receiver checks it."""

    kinds: Annotated[tuple[Name, ...], says("Kinds of messages that it may sign.")] = ()
    recipients: Annotated[tuple[str, ...], says("Whom it may write to; `*` is for broadcasts.")] = ()


class Spoken(Struct, frozen=True, forbid_unknown_fields=True):
    """One message as it was sent: its id, and what sent it."""

    message_id: Annotated[str, Meta(max_length=128), says("Id of the message.")]
    request_id: Annotated[str, Meta(max_length=256), says("What sent it.")]


def signed_bytes(tenant: str, letter: Letter) -> bytes:
    """Return what a signature covers: the tenant and every field but the signature, as canonical JSON."""
    unsigned = msgspec.structs.replace(letter, signature="")
    return msgspec.json.encode(["smolit:message:1", tenant, unsigned], order="deterministic")


def key_bytes(tenant: str, sender: str, public_key: str, scope: Scope) -> bytes:
    """Return what the key before signs when it hands over to this one."""
    return msgspec.json.encode(["smolit:key:1", tenant, sender, public_key, scope], order="deterministic")


def revoke_bytes(tenant: str, sender: str, key_id: str) -> bytes:
    """Return what the operator signs who takes a key out of use."""
    return msgspec.json.encode(["smolit:revoke:1", tenant, sender, key_id], order="deterministic")


def key_name(public_key: str) -> str:
    """Return the id of a public key: the start of its sha256."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:16]


@event("key.registered", version=1, topic=CONVERSATIONS, key="sender")
class KeyRegistered(Fact, frozen=True, kw_only=True):
    """From now on a sender signs with this key; one that it replaces signs nothing new.

    Keys of workers elsewhere replace none: they count side by side, each until it is revoked.
    """

    sender: str
    request_id: Annotated[str, says("`ce_id` of the request.")]
    key_id: Annotated[str, says("Start of the key's sha256.")]
    public_key: Annotated[str, says("Ed25519 public key, base64.")]
    scope: Scope
    replaces: Annotated[str | None, says("Id of the key before, which signed for this one; null: it is the first.")] = None

    def slot(self) -> tuple[str | int, ...]:
        """One fact per key."""
        return (self.tenant, "key", self.sender, self.key_id)


@event("key.revoked", version=1, topic=CONVERSATIONS, key="sender")
class KeyRevoked(Fact, frozen=True, kw_only=True):
    """A key of a worker elsewhere counts no more."""

    sender: str
    key_id: Annotated[str, says("Start of the key's sha256.")]
    request_id: Annotated[str, says("`ce_id` of the request.")]
    reason: Annotated[str, says("Why, in words.")] = ""

    def slot(self) -> tuple[str | int, ...]:
        """A key is revoked once."""
        return (self.tenant, "key_revoked", self.sender, self.key_id)


@event("message.sent", version=1, topic=CONVERSATIONS, key="conversation_id")
class MessageSent(Fact, frozen=True, kw_only=True):
    """Somebody says something; whether it is theirs to say is found at the recipient's door."""

    conversation_id: str
    letter: Letter
    request_id: Annotated[str, says("What sent it; the same message under another one is a replay.")]

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request: the same message by another one is seen as what it is."""
        return (self.tenant, self.conversation_id, "message", self.request_id)


@event("message.delivered", version=1, topic=CONVERSATIONS, key="conversation_id")
class MessageDelivered(Fact, frozen=True, kw_only=True):
    """A message was checked and lies where its recipients find it."""

    conversation_id: str
    message_id: str
    request_id: str
    recipients: Annotated[tuple[str, ...], says("In whose mailboxes it lies; people read the thread.")]

    def slot(self) -> tuple[str | int, ...]:
        """One delivery per message and request."""
        return (self.tenant, self.conversation_id, "delivered", self.message_id, self.request_id)


@event("message.refused", version=1, topic=CONVERSATIONS, key="conversation_id")
class MessageRefused(Fact, frozen=True, kw_only=True):
    """A message reached nobody; `reason` is a code, `detail` a sentence."""

    conversation_id: str
    message_id: str
    request_id: str
    sender: Annotated[str, says("Who was named as its sender.")]
    reason: Annotated[str, says("unknown_key, forged, replayed, expired, out_of_scope, not_yours or queue_full.")]
    detail: str

    def slot(self) -> tuple[str | int, ...]:
        """One refusal per message and request."""
        return (self.tenant, self.conversation_id, "refused", self.message_id, self.request_id)


@event("message.settled", version=1, topic=CONVERSATIONS, key="conversation_id")
class MessageSettled(Fact, frozen=True, kw_only=True):
    """A recipient is done with a message: handled it, found it expired, or it was parked with a reason."""

    conversation_id: str
    message_id: str
    recipient: str
    outcome: Settled
    reason: Annotated[str | None, says("Why it was parked.")] = None

    def slot(self) -> tuple[str | int, ...]:
        """Once per recipient."""
        return (self.tenant, self.conversation_id, "settled", self.message_id, self.recipient)


@event("memory.learned", version=1, topic=CONVERSATIONS, key="user")
class MemoryLearned(Fact, frozen=True, kw_only=True):
    """Something about a user is remembered; what is said later of the same subject is what counts."""

    user: str
    agent: Annotated[str | None, says("The agent that alone may use it; null: whoever works for the user.")] = None
    memory_id: str
    subject: Annotated[str, says("What it is about, such as `name`; two of one subject contradict each other.")]
    text: Annotated[str, says("What is remembered, as a sentence.")]
    features: Annotated[Features, says("Vector of the sentence, to find it by.")]
    source: Annotated[str, says("Where it was said: a message, or a request.")]
    method: Annotated[str, says("What read it out: rules and their version, a model, or a person.")]

    def slot(self) -> tuple[str | int, ...]:
        """One fact per memory."""
        return (self.tenant, "memory", self.user, self.memory_id)


@event("memory.corrected", version=1, topic=CONVERSATIONS, key="user")
class MemoryCorrected(Fact, frozen=True, kw_only=True):
    """What is remembered of a subject is another thing now; the memory before stays in the history and is used no more."""

    user: str
    agent: Annotated[str | None, says("The agent that alone may use it; null: whoever works for the user.")] = None
    memory_id: str
    replaces: Annotated[str, says("The memory that held before.")]
    subject: Annotated[str, says("What it is about, such as `name`.")]
    text: Annotated[str, says("What is remembered, as a sentence.")]
    features: Annotated[Features, says("Vector of the sentence, to find it by.")]
    source: Annotated[str, says("Where it was said: a message, or a request.")]
    method: Annotated[str, says("What read it out: rules and their version, a model, or a person.")]

    def slot(self) -> tuple[str | int, ...]:
        """One fact per memory."""
        return (self.tenant, "memory_correction", self.user, self.memory_id)


@event("memory.forgotten", version=1, topic=CONVERSATIONS, key="user")
class MemoryForgotten(Fact, frozen=True, kw_only=True):
    """A memory is gone from every read model, with its vector, and from the message that it was read from."""

    user: str
    memory_id: str
    request_id: str
    reason: str
    messages: Annotated[tuple[Spoken, ...], says("Messages whose words go with it.")] = ()

    def slot(self) -> tuple[str | int, ...]:
        """Once per memory."""
        return (self.tenant, "memory_forgotten", self.user, self.memory_id)


@event("context.used", version=1, topic=CONVERSATIONS, key="conversation_id")
class ContextUsed(Fact, frozen=True, kw_only=True):
    """What an answer was made with: parts that were chosen for the model, what they took, and which memories."""

    conversation_id: str
    message_id: Annotated[str, says("The message that was answered.")]
    budget_tokens: Annotated[int, says("Tokens that the context may have.")]
    used_tokens: Annotated[int, says("Tokens that it has.")]
    parts: Annotated[dict[str, int], says("Tokens by sort of part.")]
    left_out: Annotated[int, says("Parts that had no room.")]
    memories: Annotated[tuple[str, ...], says("Memories that were used.")]

    def slot(self) -> tuple[str | int, ...]:
        """Once per answered message."""
        return (self.tenant, self.conversation_id, "context", self.message_id)
