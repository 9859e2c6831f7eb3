"""What the lives of a fork come to: what is known of them, what they earned, and whether the log can tell at all."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from learning.book import PolicyKey
from learning.evaluation import LEAST_EFFECTIVE, Logged, effective_size, estimates, interval_of_ratio, missing_support, weights
from learning.rating import mean_if_any
from learning.statistics import Interval
from smolit.audit.choices import Log, Maps
from smolit.counterfactual.fork import Step, Walked, lived
from smolit.counterfactual.replay import Attempt, key_of, logged_as, rewards_of

_EQUAL = 1e-9  # chances that differ by less are the same


class Followed(Struct, frozen=True):
    """One life: at how many tasks the outcome of its draw is known, and their mean reward."""

    seed: int
    matched: int
    reward: float | None


class OfAgent(Struct, frozen=True):
    """An agent's share of the lives' draws and of the logged choices, how often its outcome was known, and the mean of these."""

    name: str
    share: float
    logged_share: float
    matched_share: float
    reward: float | None


class Fork(Struct, frozen=True):
    """What a fork found; counts of matched tasks are means over the lives, and estimates stand unless `refused` says why not.

    `matched_otherwise` of them are known from another attempt than the task's first. `fair` says that every candidate of every
    logged choice had one and the same chance: with unequal numbers of candidates, tasks with few would be known too often.
    """

    policy: str
    parameters: str
    seeds: int
    tasks: int
    with_reward: int
    matched: float
    matched_share: float
    matched_otherwise: float
    fair: bool
    least_chance: float
    lives: tuple[Followed, ...]
    agents: tuple[OfAgent, ...]
    logged_reward: Interval | None
    matched_reward: Interval | None
    ips: Interval | None
    snips: Interval | None
    dr: Interval | None
    gain: Interval | None
    ess: float
    largest_weight: float
    refused: str | None


def fork(log: Log, maps: Maps, wanted: PolicyKey, seeds: int, told: Callable[[], None] = lambda: None) -> Fork:
    """Let a policy live through the tasks of the log, `seeds` times; `told` is called after each task.

    Raises as `smolit.counterfactual.replay.replay` does.
    """
    walked = []
    for one in lived(log, maps, wanted, seeds):
        walked.append(one)
        told()
    return report(wanted, seeds, walked, rewards_of(log))


def report(wanted: PolicyKey, seeds: int, walked: Sequence[Walked], rewards: Mapping[Attempt, float]) -> Fork:
    """Return what the lives came to.

    A task's weight is the mean over the lives of how much likelier each was to draw the logged agent, so draws add no noise.
    Terms differ from what was to be expected given the past, of the log and of all lives, so intervals are those of a replay.
    """
    judged = [_logged(one, rewards[key_of(one.choice)]) for one in walked if key_of(one.choice) in rewards]
    lives = tuple(_followed(seed, [one.steps[seed] for one in walked]) for seed in range(seeds))
    matched = sum(life.matched for life in lives) / seeds
    otherwise = sum(s.reward is not None and s.agent != one.choice.agent for one in walked for s in one.steps) / seeds
    chances = [each.probability for one in walked for each in one.choice.candidates] or [0.0]
    refused = _refusal(judged, matched, len(walked))
    found = None if refused else estimates(judged)
    weighted = weights(judged)
    return Fork(
        policy=wanted.name,
        parameters=wanted.settings,
        seeds=seeds,
        tasks=len(walked),
        with_reward=len(judged),
        matched=matched,
        matched_share=matched / len(walked) if walked else 0.0,
        matched_otherwise=otherwise,
        fair=max(chances) - min(chances) < _EQUAL,
        least_chance=min(chances),
        lives=lives,
        agents=_by_agent(walked, seeds),
        logged_reward=mean_if_any([one.reward for one in judged]),
        matched_reward=None if refused else _matched(walked),
        ips=found.ips if found else None,
        snips=found.snips if found else None,
        dr=found.dr if found else None,
        gain=found.gain if found else None,
        ess=effective_size(weighted),
        largest_weight=float(weighted.max(initial=0.0)),
        refused=refused,
    )


def _refusal(judged: Sequence[Logged], matched: float, tasks: int) -> str | None:
    """Return why the lives say nothing; None where they do."""
    if matched < LEAST_EFFECTIVE:
        return (
            f"of {tasks} tasks the log knows how the candidate's own choice went at {matched:.1f} a life; it takes "
            f"{LEAST_EFFECTIVE:.0f}"
        )
    return missing_support(judged)


def _logged(walked: Walked, reward: float) -> Logged:
    return logged_as(walked.choice, reward, walked.agents, walked.chances, walked.expected)


def _matched(walked: Sequence[Walked]) -> Interval:
    """Return the mean reward of all that is known, lives pooled: a ratio of sums over tasks, since lives share the tasks."""
    known = [[step.reward for step in one.steps if step.reward is not None] for one in walked]
    return interval_of_ratio(np.array([math.fsum(each) for each in known]), np.array([float(len(each)) for each in known]))


def _followed(seed: int, steps: Sequence[Step]) -> Followed:
    known = [step.reward for step in steps if step.reward is not None]
    return Followed(seed, len(known), _mean(known))


def _by_agent(walked: Sequence[Walked], seeds: int) -> tuple[OfAgent, ...]:
    """Return what became of each agent, sorted by id."""
    drawn = Counter(step.agent for one in walked for step in one.steps)
    logged = Counter(one.choice.agent for one in walked)
    earned: dict[str, list[float]] = {}
    for one in walked:
        for step in one.steps:
            if step.reward is not None:
                earned.setdefault(step.agent, []).append(step.reward)
    return tuple(
        OfAgent(
            name=agent,
            share=drawn[agent] / (len(walked) * seeds),
            logged_share=logged[agent] / len(walked),
            matched_share=len(earned.get(agent, ())) / drawn[agent] if drawn[agent] else 0.0,
            reward=_mean(earned.get(agent, ())),
        )
        for agent in sorted({*drawn, *logged})
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
