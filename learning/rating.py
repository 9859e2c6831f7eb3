"""Who is judged is no accident: the chance that an attempt gets a reward at all, and means that take it into account.

A completed attempt is judged by whoever cares to; a failed one has its reward at once, by rule. So the mean of the rewards that
there are counts failures in full and successes by a sample, and the sample is drawn by those who liked to speak.

The chance is the share of judged ones among completed attempts that look alike: of one agent, for one kind of task, with about
the score that the policy gave the agent when it was chosen. Each judged attempt stands for those that nobody judged, with the
weight 1 / chance (Horvitz & Thompson 1952), self-normalised (Hajek 1971). With chances that are shares within strata this is
post-stratification. It sets right what follows from agent, kind and score, and from failing, and nothing else: if of two
attempts that look alike the worse one is judged more often, the mean stays wrong (docs/decisions/029-the-reward.md).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from events.event import Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, AttemptOutcome
from learning.errors import StatisticError
from learning.evaluation import interval_of_terms
from learning.reward import micro
from learning.statistics import Interval, Sums, mean_interval

FEWEST = 5  # judged attempts that a stratum needs to speak for itself; the others of its agent are looked at together
FIFTHS = 5

Attempt = tuple[str, str, int]  # tenant, task, number


class Stratum(NamedTuple):
    """What attempts that look alike have in common; `kind` and `fifth` None: what is left of the agent's small ones."""

    tenant: str
    scope: str
    agent: str
    kind: str | None
    fifth: int | None


class Tried(Struct, frozen=True):
    """One attempt that could be judged: its reward if it was, and the chance that it would be; 0: nobody judged any like it."""

    stratum: Stratum
    failed: bool
    reward: float | None
    chance: float


class AgentReward(Struct, frozen=True):
    """What an agent earned in the mean: of the judged, and had all been judged alike; None where too few were.

    `unheard` is the share of completed attempts of which none that looks alike was judged: the second mean leaves them out.
    """

    agent: str
    completed: int
    failed: int
    judged: int
    judged_share: float | None
    judged_mean: Interval | None
    weighted_mean: Interval | None
    unheard: float


class Ratings:
    """The fold: choices, ends and examples, in any order; the first choice and end count, of rewards the one in force."""

    def __init__(self) -> None:
        self._strata: dict[Attempt, Stratum] = {}
        self._outcomes: dict[Attempt, AttemptOutcome] = {}
        self._rewards: dict[Attempt, tuple[int, float]] = {}

    def take_in(self, fact: Message) -> None:
        """Take in one fact; those that say nothing here are passed over."""
        match fact:
            case AgentChosen() if fact.context.agent is None:  # who was asked for by name says nothing of who is judged
                self._strata.setdefault((fact.tenant, fact.task_id, fact.attempt), stratum_of(fact))
            case AttemptEnded():
                self._outcomes.setdefault((fact.tenant, fact.task_id, fact.attempt), fact.outcome)
            case ExampleRecorded() | ExampleSuperseded():
                key = (fact.tenant, fact.task_id, fact.attempt)
                revision = fact.revision if isinstance(fact, ExampleSuperseded) else 0
                self._rewards[key] = max(self._rewards.get(key, (-1, 0.0)), (revision, fact.reward))

    def tried(self) -> dict[Attempt, Tried]:
        """Return every attempt that could be judged, with its chance as known now."""
        over = {key: outcome for key, outcome in self._outcomes.items() if key in self._strata and outcome != "abandoned"}
        completed = {key: self._strata[key] for key, outcome in over.items() if outcome == "completed"}
        pooled = _pooled(completed, self._rewards)
        chances = _chances(pooled, self._rewards)
        return {
            key: Tried(
                stratum=self._strata[key],
                failed=key not in completed,
                reward=self._rewards[key][1] if key in self._rewards else None,
                chance=chances[pooled[key]] if key in completed else 1.0,
            )
            for key in sorted(over)
        }


def stratum_of(choice: AgentChosen) -> Stratum:
    """Return what attempts that look like a choice's have in common: agent, kind, and the fifth that its score lies in."""
    score = next((one.score for one in choice.candidates if one.agent == choice.agent), 0.0)
    fifth = min(FIFTHS - 1, max(0, math.floor(score * FIFTHS)))
    return Stratum(choice.tenant, choice.context.scope, choice.agent, choice.context.kind or "", fifth)


def agent_rewards(tried: Iterable[Tried]) -> list[AgentReward]:
    """Return what each agent earned, by name."""
    by_agent: dict[str, list[Tried]] = defaultdict(list)
    for one in tried:
        by_agent[one.stratum.agent].append(one)
    return [_agent_reward(agent, found) for agent, found in sorted(by_agent.items())]


def weighted_mean(rewards: Sequence[float], chances: Sequence[float]) -> Interval:
    """Return sum(r / chance) / sum(1 / chance) with its 95 % interval, by the delta method; chances are taken as known.

    Shares that were counted make the interval too wide rather than too narrow (Hirano, Imbens & Ridder 2003).

    Raises:
        StatisticError: there are too few rewards, or they weigh like fewer than two.
    """
    weights = 1.0 / np.asarray(chances, dtype=np.float64)
    values = np.asarray(rewards, dtype=np.float64)
    total = float(weights.sum())
    value = float((weights * values).sum()) / total if len(values) else math.nan
    return interval_of_terms(value + weights * (values - value) * (len(values) / total if total else 0.0), weights)


def mean_if_any(rewards: Sequence[float]) -> Interval | None:
    """Return the plain mean with its 95 % interval, or None where too few were judged for one."""
    return mean_interval(Sums.of([micro(reward) for reward in rewards])) if len(rewards) > 1 else None


def weighted_mean_if_any(rewards: Sequence[float], chances: Sequence[float]) -> Interval | None:
    """Return the weighted mean, or None where too few were judged for an interval."""
    try:
        return weighted_mean(rewards, chances)
    except StatisticError:
        return None


def _pooled(completed: Mapping[Attempt, Stratum], rewards: Mapping[Attempt, object]) -> dict[Attempt, Stratum]:
    """Return the stratum that each attempt is counted in: its own, or the rest of its agent's where too few were judged."""
    judged = Counter(stratum for key, stratum in completed.items() if key in rewards)
    return {
        key: stratum if judged[stratum] >= FEWEST else stratum._replace(kind=None, fifth=None)
        for key, stratum in completed.items()
    }


def _chances(strata: Mapping[Attempt, Stratum], rewards: Mapping[Attempt, object]) -> dict[Stratum, float]:
    """Return the share of each stratum's attempts that were judged."""
    ended, judged = Counter(strata.values()), Counter(stratum for key, stratum in strata.items() if key in rewards)
    return {stratum: judged[stratum] / count for stratum, count in ended.items()}


def _agent_reward(agent: str, found: Sequence[Tried]) -> AgentReward:
    completed = [one for one in found if not one.failed]
    rated = [(one.reward, one.chance) for one in found if one.reward is not None]
    rewards, chances = [reward for reward, _ in rated], [chance for _, chance in rated]
    judged = sum(one.reward is not None for one in completed)
    return AgentReward(
        agent=agent,
        completed=len(completed),
        failed=len(found) - len(completed),
        judged=judged,
        judged_share=judged / len(completed) if completed else None,
        judged_mean=mean_if_any(rewards),
        weighted_mean=weighted_mean_if_any(rewards, chances),
        unheard=sum(one.chance == 0.0 for one in completed) / len(completed) if completed else 0.0,
    )
