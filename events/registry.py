"""The versions that are known, what was judged of them, and which has which alias: a pure fold of the topic `models`.

It holds no time and no place: who asks what was in force at a moment folds the facts up to that moment.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from events.event import Message
from events.model import Alias, ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, Origin, PolicySet

Verdict = Literal["unjudged", "validated", "rejected"]
Scope = tuple[str, str]  # tenant, scope
ALIASES: tuple[Alias, ...] = ("champion", "challenger", "shadow")
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Model(Struct, frozen=True):
    """One version: its number counts those of its scope from 1, in the order of the log; `why` is what its last judge said."""

    tenant: str
    scope: str
    id: str
    number: int
    origin: Origin
    parent: str | None
    verdict: Verdict = "unjudged"
    why: str | None = None


class Registry(Struct, frozen=True):
    """Versions by id, holders of aliases by (tenant, scope), and the champions of each scope, the newest last."""

    models: Mapping[str, Model] = _NOTHING
    aliases: Mapping[Scope, Mapping[Alias, str]] = _NOTHING
    champions: Mapping[Scope, tuple[str, ...]] = _NOTHING

    def of(self, tenant: str, scope: str | None = None) -> list[Model]:
        """Return a tenant's versions, of one scope or all, by scope and number."""
        found = (one for one in self.models.values() if one.tenant == tenant and scope in (None, one.scope))
        return sorted(found, key=lambda one: (one.scope, one.number))

    def find(self, tenant: str, scope: str, named: str) -> Model | None:
        """Return the version that an id, a number or an alias in the scope names; one's own alone."""
        holder = next((held for alias, held in self.aliases.get((tenant, scope), _NOTHING).items() if alias == named), named)
        one = self.models.get(holder)
        if one is not None:
            return one if one.tenant == tenant else None
        return next((one for one in self.of(tenant, scope) if str(one.number) == named), None)

    def aliases_of(self, model: Model) -> list[Alias]:
        """Return the aliases that a version has."""
        held = self.aliases.get((model.tenant, model.scope), _NOTHING)
        return [alias for alias in ALIASES if held.get(alias) == model.id]

    def line_of(self, model: Model) -> Sequence[Model]:
        """Return a version and those it follows, the oldest last."""
        line = [model]
        while (parent := self.models.get(line[-1].parent or "")) is not None and parent not in line:
            line.append(parent)
        return line

    def before(self, tenant: str, scope: str) -> Model | None:
        """Return the champion to go back to: the last one that is not in force now and was not rejected."""
        now = self.aliases.get((tenant, scope), _NOTHING).get("champion")
        ruled = [self.models[held] for held in self.champions.get((tenant, scope), ()) if held != now]
        return next((one for one in reversed(ruled) if one.verdict == "validated"), None)


def evolve(registry: Registry, fact: Message) -> Registry:
    """Take in one fact; those that say nothing of versions are passed over."""
    match fact:
        case ModelRegistered():
            return _registered(registry, fact)
        case ModelValidated(model_id=model_id, reason=reason):
            return _judged(registry, model_id, "validated", reason)
        case ModelRejected(model_id=model_id, reason=reason):
            return _judged(registry, model_id, "rejected", reason)
        case ModelPromoted():
            return _promoted(registry, fact)
        case ModelRolledBack(tenant=tenant, scope=scope, model_id=model_id):
            return _back(registry, (tenant, scope), model_id)
        case PolicySet(tenant=tenant, scope=scope):
            return _held(registry, (tenant, scope), "champion", None)
        case _:
            return registry


def _registered(registry: Registry, fact: ModelRegistered) -> Registry:
    """A version that is known already stays as it is."""
    if fact.model_id in registry.models:
        return registry
    number = len(registry.of(fact.tenant, fact.scope)) + 1
    made = Model(fact.tenant, fact.scope, fact.model_id, number, fact.origin, fact.parent)
    return replace(registry, models={**registry.models, fact.model_id: made})


def _judged(registry: Registry, model_id: str, verdict: Verdict, why: str) -> Registry:
    """The last verdict counts."""
    known = registry.models.get(model_id)
    if known is None:
        return registry
    return replace(registry, models={**registry.models, model_id: replace(known, verdict=verdict, why=why)})


def _promoted(registry: Registry, fact: ModelPromoted) -> Registry:
    """A champion follows the one before, who may come back."""
    place = (fact.tenant, fact.scope)
    held = _held(registry, place, fact.alias, fact.model_id)
    if fact.alias != "champion" or fact.model_id not in held.models:
        return held
    return replace(held, champions={**held.champions, place: (*held.champions.get(place, ()), fact.model_id)})


def _back(registry: Registry, place: Scope, model_id: str) -> Registry:
    """A champion that comes back ends the rule of those after it."""
    held, ruled = _held(registry, place, "champion", model_id), registry.champions.get(place, ())
    last = max((at for at, one in enumerate(ruled) if one == model_id), default=-1)
    return replace(held, champions={**held.champions, place: ruled[: last + 1]})


def _held(registry: Registry, place: Scope, alias: Alias, model_id: str | None) -> Registry:
    """Give an alias to a version, or take it from all."""
    if model_id is not None and model_id not in registry.models:
        return registry
    others = {name: held for name, held in registry.aliases.get(place, _NOTHING).items() if name != alias}
    return replace(registry, aliases={**registry.aliases, place: others if model_id is None else {**others, alias: model_id}})
