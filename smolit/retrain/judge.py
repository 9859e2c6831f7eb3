"""What a network is worth on choices that were made after all it knows: beside other policies, and by what it foretold. Pure.

Every choice of the log has exact probabilities, so each policy's mean reward is estimated doubly robust, as `policy replay` does:
each learns along the log as it would have, none sees a reward before it is known. What the network would have earned more than
another is paired, choice by choice.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from events.control import Control
from events.task import AgentChosen, Features
from learning.book import PolicyKey
from learning.errors import LearningError, StatisticError
from learning.evaluation import Logged, difference, doubly_robust, missing_support
from learning.features import ContextMap
from learning.match import fit, said
from learning.network import Graph
from learning.policies import DEFAULT
from learning.reliability import Group, brier, calibration_error, error_by_chance, groups
from learning.statistics import Interval
from smolit.audit.choices import Log, Maps
from smolit.counterfactual.replay import Again, key_of, logged_as, made_again
from smolit.model.fold import Scope
from smolit.retrain.split import Split, context_of, targets_of

NETWORK = "network"
_LEAST_TRIED = 10  # rows of an agent that may be the best single one


class Rival(Struct, frozen=True):
    """Another policy: what it would have earned, and how much more the network would have; None where the log cannot tell."""

    name: str
    policy: str
    earned: Interval | None
    network_more: Interval | None
    refused: str | None


class Foretold(Struct, frozen=True):
    """How true what the network told of those who did the work came: errors of success, beside the mean of each agent.

    `error_by_chance` is the calibration error that so many cases show in the mean where every chance is true.
    """

    cases: int
    calibration_error: float
    error_by_chance: float
    brier: float
    brier_of_means: float
    groups: tuple[Group, ...]
    timed: int
    time_error: float
    time_error_of_means: float
    spanned: float | None = None  # share of the times that should lie in the span that was told; None: no span was
    covered: float | None = None  # share of those that did
    widest: float | None = None  # how many times its lower end the upper end of the span is


class Judged(Struct, frozen=True):
    """All of it; `earned` is the network's as it would be served, learning on."""

    choices: int
    rewarded: int
    earned: Interval | None
    refused: str | None
    rivals: tuple[Rival, ...]
    foretold: Foretold


class Bench(NamedTuple):
    """What judging needs besides the split: the log, maps, what is in force, the policy in force now, and the network's key."""

    log: Log
    maps: Maps
    scope: Scope
    control: Control
    in_force: PolicyKey
    network: PolicyKey


def judge(found: Split, bench: Bench, graph: Graph, used: ContextMap) -> Judged:
    """Return what a network is worth on the choices of a split that were made after its rows.

    Raises:
        ContextMapMissing, PolicyError: as `smolit.counterfactual.replay.replay` does.
    """
    asked = {one.key for one in found.judging if one.choice.context.agent is None}
    log = _until(bench, found, asked)
    rewards = {(bench.scope.tenant, *key): reward for key, reward in found.outcomes.items()}
    again = list(made_again(log, bench.maps, bench.network))
    own = _logged(again, rewards)
    refused = missing_support(own)
    return Judged(
        choices=len(again),
        rewarded=len(own),
        earned=None if refused else doubly_robust(own),
        refused=refused,
        rivals=tuple(_rival(*one, own, refused) for one in _rivals(found, bench, log, again, rewards)),
        foretold=foretold(found, graph, used),
    )


def foretold(found: Split, graph: Graph, used: ContextMap) -> Foretold:
    """Compare what the network tells of the agents that did the work with what came, and with each agent's mean."""
    seen = [(one, *targets_of(one, found.outcomes.get(one.key))[1:]) for one in found.judging]
    rows = {agent: row for row, agent in enumerate(graph.card.agents)}
    known = [(one, success, time) for one, success, time in seen if one.choice.agent in rows]
    told = [(graph.told(context_of(one, used)), rows[one.choice.agent]) for one, _, _ in known]
    successes = [at for at, (_, success, _) in enumerate(known) if success is not None]
    timed = [at for at, (_, _, time) in enumerate(known) if time is not None]
    chances = np.array([told[at][0].success[told[at][1]] for at in successes])
    came = np.array([known[at][1] for at in successes], dtype=np.float64)
    spans = np.array([np.log1p(1000.0 * told[at][0].seconds[told[at][1]]) for at in timed])
    took = np.array([known[at][2] for at in timed], dtype=np.float64)
    between = [(one.between, row) for one, row in (told[at] for at in timed) if one.between is not None]
    ends = np.log1p([[1000.0 * float(end[row]) for end in both] for both, row in between]).reshape(-1, 2)
    means = _means(found)
    alike = np.array([means[known[at][0].choice.agent][0] for at in successes])
    usual = np.array([means[known[at][0].choice.agent][1] for at in timed])
    grouped = groups(chances, came) if successes else []
    return Foretold(
        cases=len(successes),
        calibration_error=calibration_error(grouped),
        error_by_chance=error_by_chance(grouped),
        brier=brier(chances, came),
        brier_of_means=brier(alike, came),
        groups=tuple(grouped),
        timed=len(timed),
        time_error=float(np.abs(spans - took).mean()) if timed else 0.0,
        time_error_of_means=float(np.abs(usual - took).mean()) if timed else 0.0,
        spanned=graph.card.spanned if len(ends) else None,
        covered=float(((ends[:, 0] <= took) & (took <= ends[:, 1])).mean()) if len(ends) else None,
        widest=float(np.exp(np.diff(ends, axis=1)).mean()) if len(ends) else None,
    )


def _until(bench: Bench, found: Split, asked: set[tuple[str, int]]) -> Log:
    """Return the log of the choices that judge, with the examples up to the end of the range."""
    place = (bench.scope.tenant, bench.scope.name)
    choices = [one for one in bench.log.choices if one.tenant == place[0] and (one.task_id, one.attempt) in asked]
    examples = [one for one in bench.log.examples.get(place, []) if one[0] <= found.end.offset]
    return bench.log._replace(choices=choices, examples={place: examples})


def _rivals(
    found: Split, bench: Bench, log: Log, again: Sequence[Again], rewards: Mapping[tuple[str, str, int], float]
) -> list[tuple[str, str, list[Logged] | str]]:
    """Return name, policy and choices of each other policy, or why it has none."""
    often, best = _single(found)
    keys = {
        "in force now": bench.in_force,
        "default": PolicyKey.of(DEFAULT, {}),
        "random": PolicyKey.of("uniform", {}),
        "majority": PolicyKey.of("fixed", {"agent": often}),
        "best single": PolicyKey.of("fixed", {"agent": best}),
    }
    told: list[tuple[str, str, list[Logged] | str]] = []
    for name, key in keys.items():
        policy = f"{key.name} {key.settings}" if key.name in ("fixed", "neural") else key.name
        try:
            told.append((name, policy, _logged(list(made_again(log, bench.maps, key)), rewards)))
        except LearningError as error:
            told.append((name, policy, str(error)))
    told.append(("cosine", "nearest description", _nearest(bench, again, rewards)))
    return told


def _rival(name: str, policy: str, logged: list[Logged] | str, own: Sequence[Logged], refused: str | None) -> Rival:
    if isinstance(logged, str):
        return Rival(name, policy, None, None, logged)
    why = missing_support(logged)
    try:
        more = None if why or refused else difference(own, logged)
    except StatisticError:
        more = None
    return Rival(name, policy, None if why else doubly_robust(logged), more, why)


def _logged(again: Sequence[Again], rewards: Mapping[tuple[str, str, int], float]) -> list[Logged]:
    """Return the choices with a reward as estimators take them."""
    return [
        logged_as(one.choice, rewards[key_of(one.choice)], one.decision.agents, one.decision.probabilities, one.expected)
        for one in again
        if key_of(one.choice) in rewards
    ]


def _nearest(bench: Bench, again: Sequence[Again], rewards: Mapping[tuple[str, str, int], float]) -> list[Logged] | str:
    """Return what whoever chooses by the nearest description would have chosen, or why nobody could."""
    described = {name: said(agent) for name, agent in bench.control.agents_of(bench.scope.tenant)}
    logged = []
    for one in again:
        if key_of(one.choice) not in rewards:
            continue
        agents = one.decision.agents
        if missing := [agent for agent in agents if agent not in described]:
            return f"agent {missing[0]} has no description"
        near = _closest(one.choice, agents, described)
        wanted = tuple(float(agent == near) for agent in agents)
        logged.append(logged_as(one.choice, rewards[key_of(one.choice)], agents, wanted, one.expected))
    return logged


def _closest(choice: AgentChosen, agents: Sequence[str], described: Mapping[str, tuple[Features, ...]]) -> str:
    return max(agents, key=lambda agent: fit(choice.context.features, described[agent]))


def _single(found: Split) -> tuple[str, str]:
    """Return who was chosen most often, and who earned most in the mean, in the rows."""
    counts: dict[str, list[float]] = {}
    for one in found.training:
        rewards = counts.setdefault(one.choice.agent, [])
        if one.key in found.rewards:
            rewards.append(found.rewards[one.key])
    often = max(sorted(counts), key=lambda agent: len(counts[agent]))
    tried = [agent for agent in sorted(counts) if len(counts[agent]) >= _LEAST_TRIED] or [often]
    return often, max(tried, key=lambda agent: float(np.mean(counts[agent])))


def _means(found: Split) -> dict[str, tuple[float, float]]:
    """Return the share of successes and the mean time (log(1 + milliseconds)) of each agent in the rows."""
    told: dict[str, tuple[list[float], list[float]]] = {one.choice.agent: ([], []) for one in found.training}
    every: tuple[list[float], list[float]] = ([], [])
    for one in found.training:
        _, success, time = targets_of(one, found.rewards.get(one.key))
        for place, content in enumerate((success, time)):
            if content is not None:
                told[one.choice.agent][place].append(content)
                every[place].append(content)
    usual = [float(np.mean(each)) if each else 0.0 for each in every]
    return {
        agent: tuple(float(np.mean(each)) if each else usual[place] for place, each in enumerate(own))  # type: ignore[misc]
        for agent, own in told.items()
    }


def metrics_of(judged: Judged) -> dict[str, float]:
    """Return the figures as a version keeps them."""
    told = judged.foretold
    found = {
        "decisions": float(judged.choices),
        "with_reward": float(judged.rewarded),
        "success_calibration_error": told.calibration_error,
        "success_error_by_chance": told.error_by_chance,
        "success_brier": told.brier,
        "success_brier_of_means": told.brier_of_means,
        "time_error": told.time_error,
        "time_error_of_means": told.time_error_of_means,
    }
    if told.spanned is not None and told.covered is not None and told.widest is not None:
        found |= {"time_span_asked": told.spanned, "time_span_covered": told.covered, "time_span_factor": told.widest}
    pairs: list[tuple[str, Interval | None]] = [("dr", judged.earned)]
    for one in judged.rivals:
        name = one.name.replace(" ", "_")
        pairs += [(name, one.earned), (f"more_than_{name}", one.network_more)]
    for name, interval in pairs:
        if interval is not None:
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {name: figure for name, figure in found.items() if np.isfinite(figure)}
