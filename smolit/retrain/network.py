"""Networks of versions: which was trained for which, which nobody needs any more, and which was shown to be better. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from events.control import Control
from events.model import Origin
from events.registry import Model, Registry
from learning.policies.neural import Neural

_BETTER = "more_than_in_force_now"


def network_of(policy: str | None, parameters: Mapping[str, Any]) -> str | None:
    """Return the digest of the network that a policy chooses by, if it does."""
    return str(parameters.get("model")) if policy == Neural.name else None


def trainer_of(registry: Registry, origin: Origin) -> Model | None:
    """Return the version whose training made the network that a version chooses by."""
    wanted = network_of(origin.policy, origin.parameters)
    trained = (one for one in registry.models.values() if one.origin.trained is not None)
    return next((one for one in trained if network_of(one.origin.policy, one.origin.parameters) == wanted), None)


def unused(control: Control, artefacts: Path, networks: Path) -> list[str]:
    """Return the networks of a folder that no version with an artefact, no policy in force and no experiment chooses by."""
    needed = set(_needed(control, artefacts))
    there = (one.name for one in networks.iterdir() if not one.name.startswith(".")) if networks.is_dir() else ()
    return sorted(name for name in there if name not in needed)


def unproven(origin: Origin) -> str | None:
    """Return why a network may not be better than what was in force when it was judged; None where it was shown to be."""
    if origin.trained is None:
        return None
    low = origin.metrics.get(f"{_BETTER}_low")
    if low is None:
        return "the log cannot tell whether its network earns more than what was in force when it was trained"
    if low <= 0.0:
        value, high = (origin.metrics[name] for name in (_BETTER, f"{_BETTER}_high"))
        return (
            f"its network was not shown to earn more than what was in force: {value:+.4f} "
            f"on later choices, and between {low:+.4f} and {high:+.4f}"
        )
    return None


def _needed(control: Control, artefacts: Path) -> Iterator[str | None]:
    for one in control.registry.models.values():
        if (artefacts / one.id).is_dir():
            yield network_of(one.origin.policy, one.origin.parameters)
    for in_force in control.policies.values():
        yield network_of(in_force.policy, in_force.parameters)
    for run in control.experiments.values():
        yield from (network_of(variant.policy, variant.parameters) for variant in run.started.variants)
