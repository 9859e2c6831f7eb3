"""Artefacts of versions in a backup: copied while everything runs, each checked against its own manifest on the way."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from learning.artefact import MANIFEST, STATE, Manifest
from smolit.stack.jar import sha256

FOLDER = "models"


def keep(models: Path, backup: Path) -> dict[str, str]:
    """Copy the artefacts that are whole into a backup, and return the digest of every file that is kept, by its place there.

    What is there already is not copied again. One that is damaged is left out: the log folds it anew.
    """
    found: dict[str, str] = {}
    for here in sorted(models.iterdir()) if models.is_dir() else ():
        target = backup / FOLDER / here.name
        if here.name.startswith(".") or not (_is_whole(target) or _is_copied(here, target)):
            continue
        found |= {f"{FOLDER}/{here.name}/{name}": sha256(target / name) for name in (MANIFEST, STATE)}
    return found


def drop_others(backup: Path, kept: Mapping[str, str]) -> None:
    """Remove what a backup holds of versions whose artefacts it does not name."""
    known = {Path(file).parent.name for file in kept}
    for here in (backup / FOLDER).iterdir() if (backup / FOLDER).is_dir() else ():
        if here.name not in known:
            shutil.rmtree(here, ignore_errors=True)


def put_back(models: Path, backup: Path, kept: Mapping[str, str]) -> int:
    """Write the artefacts of a backup where they lay; one that is there and whole stays. Return how many there are."""
    names = sorted({Path(file).parent.name for file in kept})
    for name in names:
        if not _is_whole(models / name):
            _is_copied(backup / FOLDER / name, models / name)
    return len(names)


def _is_copied(here: Path, target: Path) -> bool:
    """Copy an artefact, in one step, and say whether it is whole there; it may be pruned meanwhile."""
    draft = target.with_name(f".new-{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        for name in (STATE, MANIFEST):
            shutil.copyfile(here / name, draft / name)
        if not _is_whole(draft):
            return False
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except FileNotFoundError:
        return False
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _is_whole(here: Path) -> bool:
    """Say whether a state is the one that its manifest names."""
    try:
        origin = msgspec.json.decode((here / MANIFEST).read_bytes(), type=Manifest).origin
    except (OSError, msgspec.DecodeError):
        return False
    return (here / STATE).is_file() and sha256(here / STATE) == origin.artefact_sha256
