"""What a tracker holds, in MLflow's words, in a form that can be compared.

A scope is an experiment and a registered model of one name; a version is a run in the one and a model version, with our
number, in the other. Trials of searches are runs of an experiment beside it.
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

PREFIX = "smolit."
ID_TAG = f"{PREFIX}model_id"


class Run(Struct, frozen=True):
    """One version as a run: when it was registered (ms since 1970), what it was made with, and what was measured."""

    name: str
    at_ms: int
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]


class Version(Struct, frozen=True):
    """One version as a model version; `source` says where its artefact lies in our data folder."""

    source: str
    tags: dict[str, str]


class Line(Struct, frozen=True):
    """All that is tracked of one scope: runs by the version's id, model versions and aliases by number."""

    tags: dict[str, str] = {}
    runs: dict[str, Run] = {}
    versions: dict[str, Version] = {}
    aliases: dict[str, str] = {}


Content = dict[str, Line]  # by name


def digest(held: Mapping[str, Line]) -> str:
    """Return the sha256 of content in its canonical form: equal digests, equal content."""
    return hashlib.sha256(msgspec.json.encode(held, order="deterministic")).hexdigest()


def differences(wanted: Mapping[str, Line], held: Mapping[str, Line]) -> list[tuple[str, str]]:
    """Return where content differs: the scope, and what of it is missing, other, or not ours."""
    return [(name, what) for name in sorted(wanted.keys() | held.keys()) for what in _unlike(wanted.get(name), held.get(name))]


def _unlike(wanted: Line | None, held: Line | None) -> list[str]:
    if wanted is None or held is None:
        return [f"the whole scope: {'not in the log' if wanted is None else 'missing'}"]
    ours, theirs = msgspec.to_builtins(wanted), msgspec.to_builtins(held)
    found = []
    for part, mine in ours.items():
        for key in sorted(mine.keys() | theirs[part].keys()):
            if mine.get(key) != theirs[part].get(key):
                word = "missing" if key not in theirs[part] else "not in the log" if key not in mine else "other than in the log"
                found.append(f"{part} {key}: {word}")
    return found
