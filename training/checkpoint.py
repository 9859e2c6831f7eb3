"""Checkpoints: all that a training needs to go on as if it had never stopped, whole or not at all.

Layout: `<folder>/step-<number>/` with `state.safetensors` (weights, best weights, the optimiser's moments, the random numbers'
state) and `manifest.json` (job, position, curve, sha256 of the state). Both are written beside, forced to the disk and renamed
into place, so whoever is killed leaves none that is half there. Nothing in them can execute.
"""

import hashlib
import os
import shutil
from pathlib import Path

import msgspec
from msgspec import Struct
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.errors import CheckpointUnusable

STATE, MANIFEST = "state.safetensors", "manifest.json"
KEPT = 3


class Epoch(Struct, frozen=True):
    """One point of the curve: losses are means per row, summed over targets."""

    number: int
    training: float
    validation: float
    rate: float


class Position(Struct, frozen=True, kw_only=True):
    """How far a training is: `step` counts the optimiser's, `row` those of this epoch; `best` is the best epoch's loss."""

    epoch: int
    row: int
    step: int
    summed: float
    best: float | None
    best_epoch: int
    curve: tuple[Epoch, ...]


class Manifest(Struct, frozen=True, kw_only=True):
    """Whose checkpoint it is, and the digest of the state beside it."""

    job: str
    position: Position
    sha256: str


def store(folder: Path, job: str, position: Position, tensors: dict[str, Tensor]) -> Path:
    """Write a checkpoint in one step, and remove old ones: the newest stay, and the one of the best epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    here, draft = folder / _name(position.step), folder / f".new-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    state = save({name: each.contiguous() for name, each in tensors.items()})
    _write(draft / STATE, state)
    manifest = Manifest(job=job, position=position, sha256=hashlib.sha256(state).hexdigest())
    _write(draft / MANIFEST, msgspec.json.encode(manifest))
    if here.exists():
        _remove(here)
    draft.rename(here)
    _prune(folder, manifest)
    return here


def newest(folder: Path, job: str) -> tuple[Position, dict[str, Tensor]] | None:
    """Return where a training stands and its tensors; None where it did not begin.

    Raises:
        CheckpointUnusable: the newest is cut off or of another training; it is named.
    """
    there = _all(folder)
    return read(there[-1], job) if there else None


def read(here: Path, job: str) -> tuple[Position, dict[str, Tensor]]:
    """Return position and tensors of a checkpoint; raises CheckpointUnusable."""
    manifest = _manifest(here)
    if manifest.job != job:
        raise CheckpointUnusable(f"{here.name} belongs to another training; without --resume this one begins anew")
    try:
        state = (here / STATE).read_bytes()
        if hashlib.sha256(state).hexdigest() != manifest.sha256:
            raise CheckpointUnusable(
                f"{here.name} is damaged: its state is not the one that was written; delete it to go back one"
            )
        return manifest.position, load(state)
    except (OSError, SafetensorError) as error:
        raise CheckpointUnusable(f"{here.name} cannot be read: {error}; delete it to go back one") from error


def clear(folder: Path) -> None:
    """Remove all checkpoints: a training begins anew."""
    shutil.rmtree(folder, ignore_errors=True)


def _manifest(here: Path) -> Manifest:
    try:
        return msgspec.json.decode((here / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise CheckpointUnusable(f"{here.name} is no checkpoint of ours: {error}; delete it to go back one") from error


def _prune(folder: Path, last: Manifest) -> None:
    """Remove what is old, but never the first checkpoint after the best epoch: it holds the best weights as its own."""
    there = _all(folder)
    ended = [one for one in there[:-KEPT] if not _is_best(one, last.position)]
    for one in ended:
        _remove(one)
    for rest in (*folder.glob(".new-*"), *folder.glob(".old-*")):
        shutil.rmtree(rest, ignore_errors=True)


def _remove(here: Path) -> None:
    """Take a checkpoint's name away first: killed in the middle, what is left of it is no checkpoint."""
    aside = here.with_name(f".old-{here.name}")
    shutil.rmtree(aside, ignore_errors=True)
    here.rename(aside)
    shutil.rmtree(aside)


def _is_best(here: Path, position: Position) -> bool:
    found = _manifest(here).position
    return found.row == 0 and found.best_epoch == position.best_epoch == found.epoch


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def _name(step: int) -> str:
    return f"step-{step:08}"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
