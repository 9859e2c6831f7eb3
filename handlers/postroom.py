"""What becomes of a message at its recipient's door: delivered, parked, or refused with a reason. Pure.

Checked in this order: whose key, the signature, seen before, expired, what the key may do, whose conversation it is, what a
reply answers, and whether the mailbox has room.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from agents.signature import is_signed
from events.conversation import ENDS, EVERYBODY, KINDS, REPLIES, USER, Letter, MessageSent, signed_bytes
from events.event import Event
from events.vouched import WORKER
from store.mailbox import Known
from store.sender_key import KeyRow

GRACE = timedelta(seconds=30)  # for messages that were under way when their key was replaced


class Delivered(Struct, frozen=True):
    """It lies in these mailboxes; `answers` is the message whose wait it ends."""

    boxes: tuple[str, ...]
    answers: str | None = None


class Parked(Struct, frozen=True):
    """Nobody handles it, and it is kept."""

    reason: str


class Refused(Struct, frozen=True):
    """It reached nobody."""

    reason: str
    detail: str


Verdict = Delivered | Parked | Refused


class Room:
    """What is known when a batch of one tenant is judged, and grows as its messages are: keys, messages, mailboxes."""

    def __init__(
        self,
        tenant: str,
        keys: Sequence[KeyRow],
        known: Mapping[str, Known],
        opened: Mapping[str, str],
        depth: Mapping[str, int],
        everybody: Sequence[str],
        most: int,
    ) -> None:
        self._tenant, self._everybody, self._most = tenant, everybody, most
        self._keys = {(key.sender, key.key_id): key for key in keys}
        self._known, self._opened, self._depth = dict(known), dict(opened), dict(depth)

    def judge(self, event: Event[MessageSent]) -> Verdict:
        """Return what becomes of the next message, and remember it if it was delivered."""
        letter, at = event.fact.letter, event.envelope.time
        verdict = self._wrong(letter, at) or self._parked(letter, at) or self._deliver(letter)
        if isinstance(verdict, Delivered):
            self._remember(letter, verdict)
        return verdict

    def _wrong(self, letter: Letter, at: datetime) -> Refused | None:
        key = self._keys.get((letter.sender, letter.key_id))
        if key is None:
            return Refused("unknown_key", f"{letter.sender} has no key {letter.key_id!r}")
        if key.replaced_at is not None and at > key.replaced_at + GRACE:
            return Refused("unknown_key", f"{letter.sender} signs with another key since {key.replaced_at.isoformat()}")
        if not is_signed(key.public_key, signed_bytes(self._tenant, letter), letter.signature):
            return Refused("forged", f"the signature is not by {letter.sender}'s key, or the message was changed")
        if letter.message_id in self._known:
            return Refused("replayed", f"message {letter.message_id} came before")
        if letter.expires_at is not None and letter.expires_at <= at:
            return Refused("expired", f"it had expired at {letter.expires_at.isoformat()} before it came")
        return self._out_of_scope(letter, key)

    def _out_of_scope(self, letter: Letter, key: KeyRow) -> Refused | None:
        if key.scope.kinds and letter.kind not in key.scope.kinds:
            return Refused("out_of_scope", f"{letter.sender}'s key may not sign a {letter.kind}")
        if key.scope.recipients and letter.recipient not in key.scope.recipients:
            return Refused("out_of_scope", f"{letter.sender}'s key may not write to {letter.recipient}")
        if (letter.recipient == EVERYBODY) != (letter.kind == "broadcast"):
            return Refused("out_of_scope", "a broadcast, and nothing else, is for everybody")
        owner = self._opened.get(letter.conversation_id)
        if owner is not None and owner != letter.sender and letter.sender.startswith(USER):
            return Refused("not_yours", "you have no such conversation")
        return None

    def _parked(self, letter: Letter, at: datetime) -> Refused | Parked | None:
        """Return what is wrong with what a message answers, or that nobody knows its kind."""
        if letter.kind not in KINDS:
            return Parked("unknown_kind")
        if letter.in_reply_to is None:
            return Parked("answers_nothing") if letter.kind == "response" else None
        asked = self._known.get(letter.in_reply_to)
        if asked is None or asked.conversation_id != letter.conversation_id:
            return Parked("answers_nothing")
        if letter.kind not in REPLIES:
            return None
        if asked.recipient not in (letter.sender, EVERYBODY):
            return Refused("out_of_scope", f"{letter.in_reply_to} was not asked of {letter.sender}")
        if letter.kind in ENDS and asked.recipient != EVERYBODY and asked.answered:
            return Parked("answered_before")
        if asked.expires_at is not None and asked.expires_at <= at:
            return Parked("late_reply")
        return None

    def _deliver(self, letter: Letter) -> Verdict:
        boxes = self._boxes(letter)
        full = [box for box in boxes if self._depth.get(box, 0) >= self._most]
        if full:
            return Refused("queue_full", f"{full[0]} has {self._most} messages waiting; try again later")
        return Delivered(boxes, letter.in_reply_to if letter.kind in ENDS else None)

    def _boxes(self, letter: Letter) -> tuple[str, ...]:
        """Return the mailboxes that a message goes into; people have none, they read the thread; workers elsewhere have none."""
        named = self._everybody if letter.recipient == EVERYBODY else [letter.recipient]
        return tuple(one for one in named if one != letter.sender and not one.startswith((USER, WORKER)))

    def _remember(self, letter: Letter, verdict: Delivered) -> None:
        seen = Known(letter.message_id, letter.conversation_id, letter.sender, letter.recipient, False, letter.expires_at)
        self._known[letter.message_id] = seen
        self._opened.setdefault(letter.conversation_id, letter.sender)
        for box in verdict.boxes:
            self._depth[box] = self._depth.get(box, 0) + 1
        if verdict.answers in self._known:
            self._known[verdict.answers] = replace(self._known[verdict.answers], answered=True)
