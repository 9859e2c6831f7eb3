"""What a worker elsewhere says counts if its source signed it, now; pure."""

import base64
import hashlib

import pytest
from msgspec.structs import replace

from agents.signature import Key
from events.conversation import Scope
from events.event import Envelope, Event, Message
from events.request import AnnounceWorker, AnswerAttempt, BeatWorker
from events.vouched import WORKS, signed_bytes, voucher_of
from events.wire import Incoming, encode
from handlers.remote import Heard, No, hear
from handlers.voucher import vouched
from store.sender_key import KeyRow
from tests.builders import NAMES, TASK, TENANT, moment
from tests.talk import key_row

FARM, THIEF = Key("worker:farm", b"f" * 32), Key("worker:farm", b"t" * 32)
NOW = moment(100.0)
WORK = Scope(kinds=(WORKS,))
WORK_KEY = key_row(FARM, WORK)
ANNOUNCED = AnnounceWorker(worker="w1", pool="numbers", capacity=2)
ANSWERED = AnswerAttempt(task_id=TASK, attempt=1, epoch=1, worker="w1", outcome="completed", output=42)


def record(said: Message = ANNOUNCED, at: float = 100.0, event_id: str = "r-1", tenant: str = TENANT) -> Incoming:
    """Return what a worker says, without a signature."""
    told = Envelope(id=event_id, source="farm", subject="", time=moment(at), correlation_id="c", causation_id="c")
    made = encode(NAMES.requests_of(tenant), Event(told, said))
    return Incoming(made.topic, 0, 7, made.key, made.headers, made.value)


def signed(one: Incoming, key: Key = FARM) -> Incoming:
    """Return it with a signature."""
    found = {name: content.decode() for name, content in one.headers}
    kind, source, event_id, time = (found[name] for name in ("ce_type", "ce_source", "ce_id", "ce_time"))
    signature = key.sign(signed_bytes(one.topic, kind, source, event_id, time, one.value or b""))
    return replace(one, headers=(*one.headers, ("ce_keyid", key.name.encode()), ("ce_signature", signature.encode())))


def why_not(one: Incoming, *keys: KeyRow, unsigned: tuple[str, ...] = ()) -> str | None:
    """Return why what is said does not count."""
    (heard,) = hear([one], NAMES, 10_000)
    found = vouched(heard, keys, unsigned, NOW)
    return found.reason if isinstance(found, No) else None


def changed(one: Incoming, name: str, content: bytes) -> Incoming:
    """Return a record with another header."""
    return replace(one, headers=tuple((key, content if key == name else was) for key, was in one.headers))


@pytest.mark.parametrize("said", [ANNOUNCED, BeatWorker(worker="w1", pool="numbers", capacity=2), ANSWERED])
def test_what_the_source_signed_counts(said: Message) -> None:
    """Announcement, beat and answer alike."""
    assert why_not(signed(record(said)), WORK_KEY) is None


def test_the_signed_bytes_are_what_the_documentation_says() -> None:
    """Written out here, since workers in other languages make them: a change would lock all of them out."""
    digest = hashlib.sha256(b"{}").hexdigest()

    assert signed_bytes("t", "k", "s", "i", "2026-01-01T00:00:00Z", b"{}").decode().split("\n") == [
        "smolit:worker:1", "t", "k", "s", "i", "2026-01-01T00:00:00Z", digest,
    ]  # fmt: skip


def test_every_part_of_what_was_signed_is_covered() -> None:
    """Value, id, time, source, type and topic: whatever is changed on the way, the signature is not by that key any more."""
    good = signed(record(ANSWERED))
    forged = [
        replace(good, value=(good.value or b"").replace(b"42", b"43")),
        changed(good, "ce_id", b"r-2"),
        changed(good, "ce_time", b"1970-01-01T00:01:41Z"),
        replace(good, topic=NAMES.requests_of("acme")),
        signed(record(ANSWERED), THIEF),
        changed(signed(record(ANSWERED), THIEF), "ce_keyid", FARM.name.encode()),
        changed(good, "ce_signature", base64.b64encode(b"x" * 64)),
        changed(good, "ce_signature", b"\xff"),
    ]

    keys = (WORK_KEY, replace(WORK_KEY, tenant="acme"))  # another tenant's worker may have the same one

    assert [why_not(one, *keys) for one in forged] == ["forged"] * 4 + ["unknown_key"] + ["forged"] * 3
    assert why_not(signed(record(ANSWERED, tenant="acme")), WORK_KEY) == "unknown_key"


def test_without_a_signature_nothing_counts_unless_a_setting_says_so() -> None:
    """A source that has a key has to sign whatever the setting says: else a thief would just leave the signature out."""
    bare = record()

    assert [why_not(bare), why_not(bare, unsigned=("other",)), why_not(bare, WORK_KEY, unsigned=("*",))] == ["unsigned"] * 3
    assert [why_not(bare, unsigned=("farm",)), why_not(bare, unsigned=("*",))] == [None, None]


def test_a_header_that_is_there_twice_is_no_signature() -> None:
    """Two readers could take different ones."""
    good = signed(record())
    twice = replace(good, headers=(*good.headers, ("CE_Signature", b"AAAA")))

    assert voucher_of(twice.topic, twice.headers, twice.value) is None
    assert why_not(twice, WORK_KEY) == "unsigned"


def test_a_sign_of_life_counts_for_a_minute() -> None:
    """Said again later, or with a time that is yet to come, it is none; an answer names its claim instead."""
    assert [why_not(signed(record(at=at)), WORK_KEY) for at in (0.0, 39.0, 41.0, 159.0, 161.0)] == [
        "not_of_now", "not_of_now", None, None, "not_of_now",
    ]  # fmt: skip
    assert why_not(signed(record(ANSWERED, at=0.0)), WORK_KEY) is None


def test_a_revoked_key_counts_no_more_and_those_beside_it_do() -> None:
    """Old and new are valid together until the old one is revoked; from then on it is told by name."""
    old, new = key_row(FARM, WORK), key_row(THIEF, WORK)
    gone = replace(old, replaced_at=NOW)

    assert [why_not(signed(record(), key), old, new) for key in (FARM, THIEF)] == [None, None]
    assert [why_not(signed(record(), key), gone, new) for key in (FARM, THIEF)] == ["revoked_key", None]


def test_the_key_of_one_worker_speaks_for_that_worker_alone() -> None:
    """Not for another of its source, and the key of the source not for one that has, or ever had, a key of its own."""
    one, two, all_of_them = Key("worker:farm#w1", b"1" * 32), Key("worker:farm#w2", b"2" * 32), Key("worker:farm", b"f" * 32)
    rows = [key_row(key, WORK) for key in (one, two, all_of_them)]
    without_source = rows[:2]
    revoked = [replace(rows[0], replaced_at=NOW), *rows[1:]]
    said = {key.sender: signed(record(), key) for key in (one, two, all_of_them)}  # all three say that they are w1

    assert {who: why_not(one, *rows) for who, one in said.items()} == {
        "worker:farm#w1": None, "worker:farm#w2": "unknown_key", "worker:farm": "unknown_key",
    }  # fmt: skip
    assert why_not(signed(record(replace(ANNOUNCED, worker="w3")), two), *rows) == "unknown_key"
    assert why_not(signed(record(replace(ANNOUNCED, worker="w3")), all_of_them), *rows) is None
    assert why_not(said["worker:farm"], *revoked) == "unknown_key"
    assert why_not(record(replace(ANNOUNCED, worker="w3")), *without_source, unsigned=("*",)) == "unsigned"


def test_a_key_is_for_its_pools_and_for_work() -> None:
    """One of conversations signs nothing here, one of another pool announces nobody in this."""
    assert why_not(signed(record()), key_row(FARM, Scope(kinds=(WORKS,), recipients=("letters",)))) == "out_of_scope"
    assert why_not(signed(record()), key_row(FARM)) == "forged"


def test_a_heard_record_keeps_what_was_signed() -> None:
    """What is heard is what was read, byte for byte."""
    (heard,) = hear([signed(record())], NAMES, 10_000)

    assert isinstance(heard, Heard)
    assert heard.record.value == record().value
