"""Two versions on one log: how their settings differ, and how often they would have chosen otherwise. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from events.registry import Model
from learning.book import PolicyKey
from smolit.audit.choices import Log, Maps
from smolit.counterfactual.replay import Replay, made_again, report, rewards_of
from smolit.model.build import figures
from smolit.model.fold import Scope, known_by

Pair = tuple[Any, Any]


class Comparison(Struct, frozen=True, kw_only=True):
    """Two versions of a scope, each pair in the order they were asked for.

    `figures` are of the same choices: those that both could have made. `differing_share` is the share of these in which the
    two would have chosen different agents with the same draw; None if there is no choice.
    """

    models: tuple[str, str]
    numbers: tuple[int, int]
    policies: tuple[str, str]
    settings: dict[str, Pair]
    examples: tuple[int, int]
    upto: tuple[int, int]
    choices: int
    differing_share: float | None
    figures: dict[str, Pair]
    not_estimated: tuple[str | None, str | None]


def compare(log: Log, maps: Maps, one: Model, other: Model) -> Comparison:
    """Make every choice again with both, each learning along the log as `policy replay` has it.

    Raises:
        ContextMapMissing: a choice looked through a map that does not come with this release.
        PolicyError: one of them cannot be made.
    """
    pair = (one, other)
    known = known_by(log, Scope(one.tenant, one.scope), min(model.origin.upto for model in pair))
    keys = [PolicyKey.of(model.origin.policy, model.origin.parameters) for model in pair]
    first, second = (list(made_again(known, maps, key)) for key in keys)
    differing = sum(left.instead != right.instead for left, right in zip(first, second, strict=True))
    found = [report(key, again, rewards_of(known)) for key, again in zip(keys, (first, second), strict=True)]
    return Comparison(
        models=(one.id, other.id),
        numbers=(one.number, other.number),
        policies=(one.origin.policy, other.origin.policy),
        settings=_pairs(one.origin.parameters, other.origin.parameters),
        examples=(one.origin.examples, other.origin.examples),
        upto=(one.origin.upto, other.origin.upto),
        choices=len(known.choices),
        differing_share=differing / len(first) if first else None,
        figures=_pairs(_earned(found[0]), _earned(found[1]), same=True),
        not_estimated=(found[0].refused, found[1].refused),
    )


def _earned(found: Replay) -> dict[str, float]:
    """Return what a version would have earned; what is true of the choices, or of the one against the log, is left out."""
    return {name: number for name, number in figures(found).items() if name not in ("decisions", "differing_share")}


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any], same: bool = False) -> dict[str, Pair]:
    """Return what two say of each name, sorted; what is the same in both only if that is wanted."""
    names = sorted(one.keys() | other.keys())
    return {name: (one.get(name), other.get(name)) for name in names if same or one.get(name) != other.get(name)}
