"""Which artefacts may go: never those that serve, may be gone back to, or did best. Pure."""

from collections.abc import Sequence

from events.registry import Model, Registry
from smolit.model.fold import Scope

BY = "dr"  # the estimate that versions are compared by: doubly robust


def best_of(models: Sequence[Model]) -> Model | None:
    """Return the version with the highest estimate, the oldest of equals; None if none has one, or all were rejected."""
    rated = [one for one in models if BY in one.origin.metrics and one.verdict != "rejected"]
    return max(rated, key=lambda one: (one.origin.metrics[BY], -one.number), default=None)


def prunable(registry: Registry, scope: Scope, keep: int) -> list[Model]:
    """Return the versions of a scope whose artefacts may go: not the best, the newest, those with aliases, past champions."""
    models = registry.of(*scope)
    best, newest = best_of(models), models[-keep:] if keep else []
    kept = {one.id for one in newest} | {best.id if best else ""} | set(registry.champions.get(scope, ()))
    return [one for one in models if one.id not in kept and not registry.aliases_of(one)]
