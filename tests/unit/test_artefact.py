"""Artefacts of versions: whole, and what was registered, or not read at all."""

import hashlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from learning.artefact import MANIFEST, STATE, Manifest, manifest_of, read, remove, write
from learning.errors import ArtefactMissing, ArtefactUnusable
from learning.policies import create
from learning.policy import Example, Policy, digest
from tests.builders import origin

WIDTH = 4


@pytest.fixture
def policy() -> Policy:
    """A policy that has learned a little."""
    made = create("ridge_igw", WIDTH, {})
    for number in range(6):
        made.learn(Example(np.eye(WIDTH)[number % WIDTH], "ab"[number % 2], 0.5, number / 5))
    return made


def manifest(of: Policy, state: bytes | None = None, **fields: Any) -> Manifest:
    """Return the manifest of a policy, whatever bytes are said to be its state."""
    told = of.dump() if state is None else state
    made = {
        "policy": of.name,
        "policy_version": of.version,
        "parameters": dict(of.settings),
        "width": WIDTH,
        "digest": digest(of),
        "artefact_sha256": hashlib.sha256(told).hexdigest(),
        "artefact_bytes": len(told),
    }
    return manifest_of("default", "default", origin(1, **{**made, **fields}))


def test_what_was_written_is_read_to_the_bit(tmp_path: Path, policy: Policy) -> None:
    """The policy that comes back has the same bytes, and only its owner may read the file."""
    here = write(tmp_path / "models", manifest(policy), policy.dump())

    assert read(tmp_path / "models", manifest(policy)).dump() == policy.dump()
    assert sorted(os.listdir(here)) == [MANIFEST, STATE]
    assert (here / STATE).stat().st_mode & 0o077 == 0
    assert os.listdir(tmp_path / "models") == [here.name], "no draft is left behind"


def test_written_twice_it_stays_and_a_damaged_one_is_replaced(tmp_path: Path, policy: Policy) -> None:
    """A whole artefact is not touched again; one that is not is made anew."""
    here = write(tmp_path, manifest(policy), policy.dump())
    before = (here / STATE).stat().st_ino
    write(tmp_path, manifest(policy), policy.dump())
    kept = (here / STATE).stat().st_ino
    (here / STATE).write_bytes(b"rubbish")

    write(tmp_path, manifest(policy), policy.dump())

    assert kept == before
    assert read(tmp_path, manifest(policy)).dump() == policy.dump()
    assert os.listdir(tmp_path) == [here.name]


class Bomb:
    """Says so where it is unpickled."""

    def __reduce__(self) -> Any:
        """Leave a trace where this is loaded."""
        return (os.mkdir, ("unpickled",))


def poisoned(state: bytes) -> bytes:
    """Return a state whose last number is none."""
    return state[:-8] + struct.pack("<d", float("nan"))


DAMAGE = {
    "truncated": lambda state: state[:-8],
    "longer": lambda state: state + b"\0",
    "one bit": lambda state: state[:-1] + bytes([state[-1] ^ 1]),
    "empty": lambda _state: b"",
    "pickled": lambda _state: pickle.dumps(Bomb()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_bytes_that_were_not_registered_are_not_looked_into(tmp_path: Path, policy: Policy, damage: Any) -> None:
    """Size and digest come first; the error is one sentence with the artefact's name."""
    here = write(tmp_path, manifest(policy), policy.dump())
    (here / STATE).write_bytes(damage(policy.dump()))

    with pytest.raises(ArtefactUnusable, match=f"artefact {here.name}: it has|artefact {here.name}: its sha256"):
        read(tmp_path, manifest(policy))


def test_bytes_with_the_right_digest_must_be_a_finite_state_of_the_policy(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is none, and a renamed pickle, are refused though manifest and digest are theirs; nothing is executed."""
    monkeypatch.chdir(tmp_path)
    states = {"not finite": poisoned(policy.dump()), "do not begin like": pickle.dumps(Bomb())}
    states["header of a state cannot be read"] = policy.dump()[:15] + (3).to_bytes(8, "big") + b"{]}"
    for number, (wrong, state) in enumerate(states.items()):
        own = manifest(policy, state)
        write(tmp_path / str(number), own, state)

        with pytest.raises(ArtefactUnusable, match=wrong):
            read(tmp_path / str(number), own)
    assert not (tmp_path / "unpickled").exists()


def test_a_state_of_another_policy_or_with_other_settings_is_refused(tmp_path: Path, policy: Policy) -> None:
    """Right bytes under a fact that says something else of them are none of its version."""
    for wrong in (
        {"policy": "uniform"},
        {"width": 5},
        {"parameters": {"ridge": 9.0}},
        {"policy_version": 2},
        {"digest": "00" * 32},
    ):
        own = manifest(policy, **wrong)
        write(tmp_path, own, policy.dump())

        with pytest.raises(ArtefactUnusable):
            read(tmp_path, own)


def test_a_renamed_artefact_is_refused(tmp_path: Path, policy: Policy) -> None:
    """Another version's folder under this one's name is found out by its manifest."""
    other = create("uniform", WIDTH, {})
    there = write(tmp_path, manifest(other, parameters={}), other.dump())
    there.rename(tmp_path / manifest(policy).model_id)

    with pytest.raises(ArtefactUnusable, match="another model_id"):
        read(tmp_path, manifest(policy))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1, "strange": 2}', b"\x80\x04."])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, policy: Policy, content: bytes) -> None:
    """Whatever stands in it."""
    here = write(tmp_path, manifest(policy), policy.dump())
    (here / MANIFEST).write_bytes(content)

    with pytest.raises(ArtefactUnusable, match="manifest"):
        read(tmp_path, manifest(policy))


def test_a_manifest_of_another_format_is_refused(tmp_path: Path, policy: Policy) -> None:
    """A newer release may have written it."""
    write(tmp_path, replace(manifest(policy), format=2), policy.dump())

    with pytest.raises(ArtefactUnusable, match="format 2"):
        read(tmp_path, manifest(policy))


def test_what_is_not_there_is_missing_and_half_of_it_unusable(tmp_path: Path, policy: Policy) -> None:
    """A version without a folder is one thing, a folder without its files another; what is removed is missing."""
    with pytest.raises(ArtefactMissing):
        read(tmp_path, manifest(policy))
    here = write(tmp_path, manifest(policy), policy.dump())
    (here / STATE).unlink()
    with pytest.raises(ArtefactUnusable, match="state cannot be read"):
        read(tmp_path, manifest(policy))

    assert (remove(tmp_path, here.name), remove(tmp_path, here.name)) == (True, False)
    with pytest.raises(ArtefactMissing):
        read(tmp_path, manifest(policy))
