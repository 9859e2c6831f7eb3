"""Keys are made once, kept from others, and handed over."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents.signature import Key, Keyring, is_signed
from events.conversation import Scope, key_bytes, revoke_bytes
from events.event import Envelope
from events.request import RegisterKey, RevokeKey
from events.vouched import HOUSE, OPERATOR, WORKS
from streams.admission import Asked, Refused
from streams.speech import key_fact, revoked_fact
from tests.builders import TENANT, moment
from tests.talk import ANN, key_row

NEXT = Key("user:ann", b"n" * 32)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """Many that ask at once get the same; another sender and another tenant have their own."""
    ring = Keyring(tmp_path / "keys", b"secret")
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: ring.key("default", "front").seed, range(40)))

    assert len(made) == 1
    assert len({ring.key(*whose).seed for whose in (("default", "front"), ("acme", "front"), ("default", "ocr"))} | made) == 3


def test_machines_that_share_a_secret_sign_alike(tmp_path: Path) -> None:
    """Each with its own folder; another secret gives another key."""
    one, other, foreign = (
        Keyring(tmp_path / name, secret).key("default", "front").seed for name, secret in (("a", b"s"), ("b", b"s"), ("c", b"t"))
    )

    assert one == other != foreign


def test_nobody_else_reads_a_key(tmp_path: Path) -> None:
    """Folder and file are their owner's alone."""
    Keyring(tmp_path / "keys", b"secret").key("default", "front")

    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_fresh_key_is_used_once_it_is_adopted(tmp_path: Path) -> None:
    """Until it is registered the one before signs."""
    ring = Keyring(tmp_path, b"secret")
    before, fresh = ring.key("default", "a"), ring.fresh("default", "a")
    between = ring.key("default", "a")
    ring.adopt("default", "a")

    assert (between, ring.key("default", "a")) == (before, fresh)


def test_what_is_no_key_or_no_signature_is_not_signed() -> None:
    """Garbage raises nothing."""
    assert is_signed(ANN.public, b"x", ANN.sign(b"x"))
    assert not any(is_signed(*wrong) for wrong in ((ANN.public, b"x", "!"), ("AAAA", b"x", ANN.sign(b"x")), ("ü", b"x", "")))


def asked(request: RegisterKey) -> Asked:
    """Return a request as intake has it."""
    envelope = Envelope(id="r", source="tests", subject="s", time=moment(0), correlation_id="r", causation_id="r")
    return Asked(TENANT, envelope, request)


def register(key: Key, proof: str = "", scope: Scope | None = None) -> Asked:
    """Return the request to register a key."""
    return asked(RegisterKey(sender=key.sender, public_key=key.public, scope=scope or Scope(), proof=proof))


def test_the_first_key_needs_no_proof_and_is_registered_again_as_the_same() -> None:
    """A request that is read twice makes the same fact."""
    one = register(ANN)
    first = key_fact(one, one.request, [])  # type: ignore[arg-type]

    assert first == key_fact(one, one.request, [key_row(ANN)])  # type: ignore[arg-type]
    assert (first.key_id, first.replaces) == (ANN.name, None)


def test_only_the_key_before_hands_over() -> None:
    """Without its signature, or with another's, a second key is refused."""
    good = register(NEXT, ANN.hands_over(TENANT, NEXT.public, Scope()))

    assert key_fact(good, good.request, [key_row(ANN)]).replaces == ANN.name  # type: ignore[arg-type]
    for proof in ("", NEXT.hands_over(TENANT, NEXT.public, Scope()), ANN.hands_over("acme", NEXT.public, Scope())):
        bad = register(NEXT, proof)
        with pytest.raises(Refused, match="did not sign"):
            key_fact(bad, bad.request, [key_row(ANN)])  # type: ignore[arg-type]


def test_a_later_key_is_allowed_no_more() -> None:
    """It may be allowed less; and one that was replaced does not come back."""
    narrow, wide = Scope(kinds=("query",)), Scope(kinds=("query", "response"))
    proof = ANN.sign(key_bytes(TENANT, "user:ann", NEXT.public, wide))
    more = register(NEXT, proof, wide)
    back = register(ANN)

    with pytest.raises(Refused, match="never more"):
        key_fact(more, more.request, [key_row(ANN, narrow)])  # type: ignore[arg-type]
    with pytest.raises(Refused, match="replaced"):
        key_fact(back, back.request, [key_row(ANN, replaced_at=moment(1)), key_row(NEXT)])  # type: ignore[arg-type]


FARM = Key("worker:farm", b"f" * 32)
BOSS = Key(OPERATOR, b"o" * 32)
OF_WORK = Scope(kinds=(WORKS,), recipients=("numbers",))


def let_in(key: Key, by: Key, scope: Scope = OF_WORK) -> Asked:
    """Return the request to let a source of workers sign, with somebody's word for it."""
    return register(key, by.sign(key_bytes(TENANT, key.sender, key.public, scope)), scope)


def test_only_the_operator_lets_a_worker_sign() -> None:
    """Whoever can write requests can name a key, but neither the first one nor the next counts without the operator's word."""
    good, later = let_in(FARM, BOSS), let_in(Key("worker:farm", b"g" * 32), BOSS)

    assert key_fact(good, good.request, [], BOSS.public).scope == OF_WORK  # type: ignore[arg-type]
    assert key_fact(later, later.request, [key_row(FARM)], BOSS.public).replaces is None  # type: ignore[arg-type]
    for bad in (register(FARM, "", OF_WORK), let_in(FARM, FARM), let_in(FARM, ANN)):
        with pytest.raises(Refused, match="only the house's operator"):
            key_fact(bad, bad.request, [], BOSS.public)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="only the house's operator"):
        key_fact(good, good.request, [], "")  # type: ignore[arg-type]


def test_the_key_of_a_worker_signs_nothing_but_what_workers_say() -> None:
    """So it cannot write messages in the name of its source."""
    wide = let_in(FARM, BOSS, Scope())

    with pytest.raises(Refused, match="signs what workers say"):
        key_fact(wide, wide.request, [], BOSS.public)  # type: ignore[arg-type]


def test_a_key_that_was_replaced_does_not_come_back_by_a_replay() -> None:
    """The operator's word for the key before is still true, and counts no more."""
    again = let_in(FARM, BOSS)

    with pytest.raises(Refused, match="replaced"):
        key_fact(again, again.request, [key_row(FARM, replaced_at=moment(1))], BOSS.public)  # type: ignore[arg-type]


def revoke(by: Key, key_id: str = FARM.name, sender: str = FARM.sender) -> Asked:
    """Return the request to revoke a key, with somebody's word for it."""
    request = RevokeKey(sender=sender, key_id=key_id, proof=by.sign(revoke_bytes(TENANT, sender, key_id)))
    return Asked(TENANT, asked(request).envelope, request)  # type: ignore[arg-type]


def test_only_the_operator_revokes_and_only_what_is_there() -> None:
    """Neither a thief nor the key itself; an unknown key, and one that signs messages, is refused by name."""
    good = revoke(BOSS)

    assert revoked_fact(good, good.request, [key_row(FARM)], BOSS.public).key_id == FARM.name  # type: ignore[arg-type]
    for bad in (revoke(FARM), revoke(ANN)):
        with pytest.raises(Refused, match="only the house's operator"):
            revoked_fact(bad, bad.request, [key_row(FARM)], BOSS.public)  # type: ignore[arg-type]
    for bad, known in ((revoke(BOSS, NEXT.name), FARM), (revoke(BOSS, ANN.name, ANN.sender), ANN)):
        with pytest.raises(Refused, match="no such key"):
            revoked_fact(bad, bad.request, [key_row(known)], BOSS.public)  # type: ignore[arg-type]


def test_nobody_registers_the_key_of_the_house() -> None:
    """It announces its own."""
    one = register(Key(HOUSE, b"h" * 32))

    with pytest.raises(Refused, match="announces its key itself"):
        key_fact(one, one.request, [])  # type: ignore[arg-type]
