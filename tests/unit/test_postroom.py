"""What becomes of a message at its recipient's door."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from agents.signature import Key
from events.conversation import Letter, Scope
from handlers.postroom import GRACE, Delivered, Parked, Refused, Room, Verdict
from tests.builders import TENANT, moment
from tests.talk import ANN, FRONT, key_row, letter, sent

BOB = Key("user:bob", b"b" * 32)
KEYS = (key_row(ANN), key_row(FRONT), key_row(BOB))


def room(most: int = 10, **fields: Any) -> Room:
    """Return a door at which nobody has been."""
    told: dict[str, Any] = {"keys": KEYS, "known": {}, "opened": {}, "depth": {}, "everybody": ["front", "ocr", "user:ann"]}
    return Room(TENANT, most=most, **{**told, **fields})


def reason(verdict: Verdict) -> str:
    """Return the code of a refusal or of parking."""
    assert isinstance(verdict, Refused | Parked), verdict
    return verdict.reason


def test_a_signed_message_is_delivered() -> None:
    """It goes into the mailbox of whom it names."""
    assert room().judge(sent(letter())) == Delivered(("front",))


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "hellO"},
        {"priority": 9},
        {"recipient": "ocr"},
        {"conversation_id": "c2"},
        {"message_id": "m2"},
        {"body": {"a": 1}},
        {"signature": ""},
        {"signature": "AAAA"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_message_that_was_changed_after_it_was_signed_is_forged(changed: dict[str, Any]) -> None:
    """Every field counts."""
    event = sent(letter())
    forged = replace(event, fact=replace(event.fact, letter=replace(event.fact.letter, **changed)))

    assert reason(room().judge(forged)) == "forged"


def test_a_message_in_somebody_elses_name_is_forged() -> None:
    """Eve signs as Ann, once with a key of her own and once under the name of Ann's key."""
    eve = Key("user:ann", b"e" * 32)
    renamed = replace(eve.signed(TENANT, letter()), key_id=ANN.name)

    assert reason(room().judge(sent(letter(), eve))) == "unknown_key"
    assert reason(room().judge(sent(renamed, None))) == "forged"


def test_another_tenants_signature_is_forged() -> None:
    """A message cannot be carried from one tenant to another."""
    assert reason(room().judge(sent(ANN.signed("acme", letter()), None))) == "forged"


def test_a_message_that_comes_again_by_another_request_is_a_replay() -> None:
    """The first is delivered, and whoever copies it reaches nobody."""
    door = room()
    first = door.judge(sent(letter()))

    assert (first, reason(door.judge(sent(letter(), request_id="copied")))) == (Delivered(("front",)), "replayed")


def test_what_has_expired_reaches_nobody() -> None:
    """A second before it does, it is delivered."""
    late = letter(expires_at=moment(10))

    assert reason(room().judge(sent(late, at=10))) == "expired"
    assert isinstance(room().judge(sent(late, at=9)), Delivered)


@pytest.mark.parametrize(
    ("scope", "one"),
    [
        (Scope(kinds=("update",)), letter()),
        (Scope(recipients=("ocr",)), letter()),
        (Scope(), letter(recipient="*")),
        (Scope(), letter(kind="broadcast")),
    ],
)
def test_a_key_is_good_for_its_scope_alone(scope: Scope, one: Letter) -> None:
    """Kinds, recipients, and that only a broadcast is for everybody."""
    assert reason(room(keys=[key_row(ANN, scope)]).judge(sent(one))) == "out_of_scope"


def test_nobody_writes_into_another_persons_conversation() -> None:
    """Bob is told what he would be told of one that is not there; the front may write."""
    door = room(opened={"c1": "user:ann"})

    assert reason(door.judge(sent(letter(sender="user:bob"), BOB))) == "not_yours"
    assert isinstance(door.judge(sent(letter(sender="front", recipient="user:ann", kind="update"), FRONT)), Delivered)


def answer(message_id: str = "r1", **fields: Any) -> Letter:
    """Return the front's response to m1."""
    told = {"sender": "front", "recipient": "user:ann", "kind": "response", "in_reply_to": "m1"}
    return letter(message_id, **{**told, **fields})


def test_a_reply_is_matched_with_what_it_answers() -> None:
    """A person has no mailbox, and the wait of the message is over."""
    door = room()
    door.judge(sent(letter()))

    assert door.judge(sent(answer(), FRONT)) == Delivered((), "m1")


def test_a_reply_that_comes_too_late_or_to_nothing_is_parked() -> None:
    """Answered before, after its time, and to what nobody asked."""
    door = room()
    door.judge(sent(letter(expires_at=moment(10))))
    late = reason(door.judge(sent(answer(), FRONT, at=11)))
    door.judge(sent(answer("r2"), FRONT))

    assert late == "late_reply"
    assert reason(door.judge(sent(answer("r3"), FRONT))) == "answered_before"
    assert reason(door.judge(sent(answer("r4", in_reply_to="nothing"), FRONT))) == "answers_nothing"
    assert reason(door.judge(sent(answer("r5", in_reply_to=None), FRONT))) == "answers_nothing"


def test_only_who_was_asked_answers() -> None:
    """Another agent's response to the front's message is refused."""
    ocr = Key("ocr", b"o" * 32)
    door = room(keys=[*KEYS, key_row(ocr)])
    door.judge(sent(letter()))

    assert reason(door.judge(sent(answer(sender="ocr"), ocr))) == "out_of_scope"


def test_a_kind_that_nobody_knows_is_parked() -> None:
    """A newer release may send it; nothing is lost."""
    assert room().judge(sent(letter(kind="telepathy"))) == Parked("unknown_kind")


def test_a_full_mailbox_refuses_its_senders() -> None:
    """What was delivered before in the same batch counts."""
    door = room(most=2)
    verdicts = [door.judge(sent(letter(f"m{number}"))) for number in range(3)]

    assert [type(one) for one in verdicts] == [Delivered, Delivered, Refused]
    assert reason(verdicts[-1]) == "queue_full"


def test_a_broadcast_goes_to_every_agent_but_its_sender() -> None:
    """People have no mailbox."""
    told = letter(sender="front", recipient="*", kind="broadcast")

    assert room().judge(sent(told, FRONT)) == Delivered(("ocr",))


def test_a_replaced_key_is_good_for_what_was_under_way() -> None:
    """A little later it is not."""
    keys = [key_row(ANN, replaced_at=moment(0))]

    assert isinstance(room(keys=keys).judge(sent(letter(), at=GRACE.total_seconds())), Delivered)
    assert reason(room(keys=keys).judge(sent(letter(), at=(GRACE + timedelta(seconds=1)).total_seconds()))) == "unknown_key"
