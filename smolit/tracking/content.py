"""What the tracker is to hold: a pure fold of the facts on `models`, in MLflow's words.

A scope is an experiment and a registered model of one name; a version is a run in the one and a model version, with our
number, in the other. Verdicts, promotions and roll-backs are tags of both the version and the scope, named by their offset.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from events.event import Event, Message
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, PolicySet
from events.registry import Model, Registry, evolve
from events.text import plain

Place = tuple[str, str]  # tenant, scope
PREFIX = "smolit."
ID_TAG = f"{PREFIX}model_id"
_LONGEST_NAME = 240
_LONGEST = 5_000  # characters: MLflow takes 6,000 of a parameter and 8,000 of a run's tag


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


class Told(NamedTuple):
    """A fact with its place in the log."""

    offset: int
    event: Event[Message]


class Change(Struct, frozen=True):
    """One thing that happened to a version or a scope, as a tag holds it."""

    what: str
    at: datetime
    by: str
    reason: str
    version: str | None = None
    alias: str | None = None
    policy: str | None = None


class Tracked(NamedTuple):
    """The fold: the registry, what happened by offset (scope, version's id if it is about one), and who registered what when."""

    registry: Registry
    changes: Mapping[int, tuple[Place, str | None, Change]]
    registered: Mapping[str, tuple[datetime, str]]


def fold(told: Iterable[Told]) -> Tracked:
    """Take in facts in the order of the log, however they come; what is told twice counts once."""
    registry = Registry()
    ids: set[str] = set()
    changes: dict[int, tuple[Place, str | None, Change]] = {}
    registered: dict[str, tuple[datetime, str]] = {}
    for offset, event in sorted(told, key=lambda one: one.offset):
        if event.envelope.id in ids:
            continue
        ids.add(event.envelope.id)
        registry = evolve(registry, event.fact)
        if isinstance(event.fact, ModelRegistered):
            registered.setdefault(event.fact.model_id, (event.envelope.time, event.fact.registered_by))
        elif (change := _change(event, registry)) is not None:
            changes[offset] = change
    return Tracked(registry, changes, registered)


def content(tracked: Tracked) -> Content:
    """Return what the tracker is to hold, by name of the scope."""
    registry = tracked.registry
    places = {place for place, _, _ in tracked.changes.values()}
    places |= {(one.tenant, one.scope) for one in registry.models.values()}
    return {name_of(*place): _line(tracked, place) for place in sorted(places)}


def changed(tracked: Tracked, since: int, told: Iterable[Told]) -> set[str]:
    """Return the names of scopes of which a fact beyond an offset says something."""
    facts = (event.fact for offset, event in told if offset > since)
    return {name_of(fact.tenant, fact.scope) for fact in facts if isinstance(fact, KINDS)} & content(tracked).keys()


def name_of(tenant: str, scope: str) -> str:
    """Return the name of a scope's experiment and registered model; MLflow forbids / and : there, we forbid spaces and %."""
    return f"{tenant} {scope.replace('/', '%2F').replace(':', '%3A')}"


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


def _change(event: Event[Message], registry: Registry) -> tuple[Place, str | None, Change] | None:
    """Return what a fact says of a scope and one of its versions."""
    at = event.envelope.time
    said: tuple[str | None, Change]
    match event.fact:
        case ModelValidated() as fact:
            said = _of(registry, fact.model_id, Change("validated", at, fact.judged_by, fact.reason))
        case ModelRejected() as fact:
            said = _of(registry, fact.model_id, Change("rejected", at, fact.judged_by, fact.reason))
        case ModelPromoted() as fact:
            told = Change("promoted", at, fact.promoted_by, fact.reason, alias=fact.alias, policy=fact.policy)
            said = _of(registry, fact.model_id, told)
        case ModelRolledBack() as fact:
            told = Change("rolled_back", at, fact.rolled_back_by, fact.reason, alias="champion", policy=fact.policy)
            said = _of(registry, fact.model_id, told)
        case PolicySet() as fact:
            what = "given_back" if fact.policy is None else "set"
            said = (None, Change(what, at, fact.set_by, fact.reason, policy=fact.policy))
        case _:
            return None
    return (event.fact.tenant, event.fact.scope), *said


KINDS = (ModelRegistered, ModelValidated, ModelRejected, ModelPromoted, ModelRolledBack, PolicySet)
SWITCHES = ("promoted", "rolled_back", "set", "given_back")


def _of(registry: Registry, model_id: str, change: Change) -> tuple[str, Change]:
    known = registry.models.get(model_id)
    return model_id, msgspec.structs.replace(change, version=str(known.number) if known else None)


def _line(tracked: Tracked, place: Place) -> Line:
    models = tracked.registry.of(*place)
    held = tracked.registry.aliases.get(place, {})
    numbers = {one.id: str(one.number) for one in models}
    here = {at: (who, change) for at, (of, who, change) in tracked.changes.items() if of == place}
    switches = {_key("switch", at): _text(change) for at, (_, change) in here.items() if change.what in SWITCHES}
    changes = {one.id: {at: change for at, (who, change) in here.items() if who == one.id} for one in models}
    return Line(
        tags={f"{PREFIX}tenant": place[0], f"{PREFIX}scope": place[1], **switches},
        runs={one.id: _run(one, numbers, *tracked.registered[one.id]) for one in models},
        versions={numbers[one.id]: _version(one, changes[one.id]) for one in models},
        aliases={alias: numbers[model_id] for alias, model_id in held.items()},
    )


def _run(model: Model, numbers: Mapping[str, str], at: datetime, by: str) -> Run:
    origin = model.origin
    told = {"policy": origin.policy, "policy_version": origin.policy_version, **origin.parameters}
    tags = {
        "model_id": model.id,
        "number": model.number,
        "registered_by": by,
        "parent": model.parent,
        "parent_number": numbers.get(model.parent or ""),
        "artefact": _artefact(model),
        "not_estimated": origin.not_estimated,
        "seed": origin.seed,
        **{name: getattr(origin, name) for name in _ORIGIN},
        **{f"environment.{name}": what for name, what in origin.environment.items()},
    }
    return Run(
        name=f"version {model.number} {origin.policy}",
        at_ms=int(at.timestamp() * 1000),
        params=_named({name: _short(what) for name, what in told.items()}),
        metrics=_named({**origin.metrics, **{f"cost.{name}": took for name, took in origin.cost.items()}}),
        tags=_named({PREFIX + name: _short(what) for name, what in tags.items() if what is not None}),
    )


_ORIGIN = (
    "first", "upto", "examples", "context_map", "width", "data_sha256", "digest", "artefact_sha256", "artefact_bytes",
    "code_sha256",
)  # fmt: skip


def _version(model: Model, changes: Mapping[int, Change]) -> Version:
    tags = {ID_TAG: model.id, f"{PREFIX}verdict": model.verdict, **({f"{PREFIX}why": _short(model.why)} if model.why else {})}
    return Version(_artefact(model), {**tags, **{_key("change", at): _text(change) for at, change in changes.items()}})


def _artefact(model: Model) -> str:
    return f"smolit:/models/{model.id}"


def _key(what: str, offset: int) -> str:
    return f"{PREFIX}{what}.{offset:012}"


def _text(change: Change) -> str:
    told: dict[str, Any] = {name: what for name, what in msgspec.to_builtins(change).items() if what is not None}
    return msgspec.json.encode(told, order="deterministic").decode()


def _short(what: object) -> str:
    return plain(what if isinstance(what, str) else msgspec.json.encode(what, order="deterministic").decode(), _LONGEST)


def _named(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return names as MLflow takes them; ours have no other letters unless a client of its own registered a version."""
    return {re.sub(r"[^\w.\- /]", "_", name)[:_LONGEST_NAME]: what for name, what in pairs.items()}
