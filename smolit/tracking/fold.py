"""What the tracker is to hold: a pure fold of the facts on `models`.

Verdicts, promotions and roll-backs are tags of both the version and the scope, named by their offset.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from events.event import Event, Message
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, PolicySet
from events.registry import Model, Registry, evolve
from events.search import TrialEnded
from events.text import plain
from smolit.tracking.content import ID_TAG, PREFIX, Content, Line, Run, Version

Place = tuple[str, str]  # tenant, scope
_LONGEST_NAME = 240
_LONGEST = 5_000  # characters: MLflow takes 6,000 of a parameter and 8,000 of a run's tag


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
    """The fold: registry, what happened by offset (scope, version's id if it is about one), who registered what when, trials."""

    registry: Registry
    changes: Mapping[int, tuple[Place, str | None, Change]]
    registered: Mapping[str, tuple[datetime, str]]
    trials: Mapping[tuple[Place, str], tuple[datetime, TrialEnded]]


def fold(told: Iterable[Told]) -> Tracked:
    """Take in facts in the order of the log, however they come; what is told twice counts once."""
    registry = Registry()
    ids: set[str] = set()
    changes: dict[int, tuple[Place, str | None, Change]] = {}
    registered: dict[str, tuple[datetime, str]] = {}
    trials: dict[tuple[Place, str], tuple[datetime, TrialEnded]] = {}
    for offset, event in sorted(told, key=lambda one: one.offset):
        if event.envelope.id in ids:
            continue
        ids.add(event.envelope.id)
        registry = evolve(registry, event.fact)
        if isinstance(event.fact, ModelRegistered):
            registered.setdefault(event.fact.model_id, (event.envelope.time, event.fact.registered_by))
        elif isinstance(event.fact, TrialEnded):
            trials.setdefault((_place(event.fact), _trial_key(event.fact)), (event.envelope.time, event.fact))
        elif (change := _change(event, registry)) is not None:
            changes[offset] = change
    return Tracked(registry, changes, registered, trials)


def content(tracked: Tracked) -> Content:
    """Return what the tracker is to hold, by name of the scope."""
    registry = tracked.registry
    places = {place for place, _, _ in tracked.changes.values()}
    places |= {(one.tenant, one.scope) for one in registry.models.values()}
    found = {name_of(*place): _line(tracked, place) for place in sorted(places)}
    for (place, key), (at, fact) in sorted(tracked.trials.items(), key=lambda one: one[0]):
        found.setdefault(name_of_trials(*place), Line()).runs[key] = _trial(key, at, fact)
    return found


def changed(since: int, told: Iterable[Told]) -> set[str]:
    """Return the names of scopes of which a fact beyond an offset says something."""
    facts = [event.fact for offset, event in told if offset > since]
    names = {name_of(fact.tenant, fact.scope) for fact in facts if isinstance(fact, KINDS)}
    return names | {name_of_trials(*_place(fact)) for fact in facts if isinstance(fact, TrialEnded)}


def name_of(tenant: str, scope: str) -> str:
    """Return the name of a scope's experiment and registered model; MLflow forbids / and : there, we forbid spaces and %."""
    return f"{tenant} {scope.replace('/', '%2F').replace(':', '%3A')}"


def name_of_trials(tenant: str, scope: str) -> str:
    """Return the name of the experiment of a scope's trials; no scope has a name with a space."""
    return f"{name_of(tenant, scope)} trials"


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
        "trial": f"{origin.trial.search_id} {origin.trial.arm} {origin.trial.number}" if origin.trial else None,
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


def _place(fact: TrialEnded) -> Place:
    return fact.tenant, fact.scope


def _trial_key(fact: TrialEnded) -> str:
    return f"{fact.search_id} {fact.arm} {fact.number}"


def _trial(key: str, at: datetime, fact: TrialEnded) -> Run:
    tags = {
        "model_id": key,
        "search": fact.search_id,
        "arm": fact.arm,
        "number": fact.number,
        "state": fact.state,
        "reason": fact.reason,
    }
    return Run(
        name=key,
        at_ms=int(at.timestamp() * 1000),
        params=_named({name: _short(what) for name, what in fact.parameters.items()}),
        metrics={"seconds": fact.seconds, **({"score": fact.score} if fact.score is not None else {})},
        tags={PREFIX + name: _short(what) for name, what in tags.items() if what != ""},
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
