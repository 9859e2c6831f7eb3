"""What would another policy have chosen, and earned? Its state is folded from the log, and it decides what was decided then.

The candidate learns along the way what the log holds, in its order and as late as those who served did: at each choice
it knows the examples up to that choice's `upto`. It learns from what others chose, never from its own choices.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec import Struct

from events.task import AgentChosen
from learning.book import PolicyKey
from learning.errors import LearningError
from learning.evaluation import Logged, effective_size, estimates, missing_support, weights
from learning.features import ContextMap
from learning.policies.fixed import Fixed
from learning.policies.ridge_igw import RidgeIgw
from learning.policy import Decision, choose
from learning.rating import Ratings, mean_if_any, weighted_mean_if_any
from learning.statistics import Interval
from smolit.audit.choices import Log, Maps, Series, Stop, walk

# What an agent is expected to earn, for the doubly robust estimate; it is folded as a policy is, so it never saw the outcome.
MODEL = PolicyKey.of(RidgeIgw.name, {})
EXAMPLES = 5

Attempt = tuple[str, str, int]  # tenant, task, number


class ContextMapMissing(LearningError):
    """Choices were made with a context map that does not come with this release."""


class NeverOffered(LearningError):
    """No choice could have gone to the agent that a candidate always takes: it would be a draw among the others."""


class Again(NamedTuple):
    """A recorded choice, what the candidate would have done with the same draw, and what a model expected of each agent."""

    choice: AgentChosen
    decision: Decision
    instead: str
    expected: tuple[float, ...]

    @property
    def differs(self) -> bool:
        """Whether the candidate would have chosen somebody else."""
        return self.instead != self.choice.agent

    @property
    def domain(self) -> str:
        """The kind of task as it was submitted; the scope, where it said none."""
        return self.choice.context.kind or self.choice.context.scope


class Differing(Struct, frozen=True):
    """How many choices of one domain, or of one agent, would be others."""

    name: str
    decisions: int
    differing: int
    share: float


class Instance(Struct, frozen=True):
    """One choice that would be another, with the probability that either agent had under either policy."""

    task_id: str
    attempt: int
    domain: str
    agent: str
    probability: float
    candidate_probability: float
    instead: str
    instead_probability: float
    instead_candidate_probability: float
    reward: float | None


class Replay(Struct, frozen=True):
    """What a replay found; the estimates are there unless `refused` says why not."""

    policy: str
    parameters: str
    decisions: int
    with_reward: int
    differing_share: float
    differing_by_domain: tuple[Differing, ...]
    differing_by_agent: tuple[Differing, ...]
    examples: tuple[Instance, ...]
    logged_reward: Interval | None
    logged_reward_all_judged: Interval | None
    ips: Interval | None
    snips: Interval | None
    dr: Interval | None
    gain: Interval | None
    ess: float
    largest_weight: float
    refused: str | None


def check_offered(log: Log, wanted: PolicyKey) -> None:
    """Raise NeverOffered where a candidate names one agent, and that agent was a candidate in no choice."""
    if wanted.name != Fixed.name:
        return
    offered = {each.agent for one in log.choices for each in one.candidates}
    agent = msgspec.json.decode(wanted.settings)["agent"]
    if agent not in offered:
        raise NeverOffered(f"no choice here could have gone to {agent!r}; they were between {', '.join(sorted(offered))}")


def replay(log: Log, maps: Maps, wanted: PolicyKey, told: Callable[[], None] = lambda: None) -> Replay:
    """Make every choice of the log with another policy; `told` is called after each.

    Raises:
        ContextMapMissing: a choice looked through a map that does not come with this release.
        PolicyError: no such policy, or settings that it cannot take.
    """
    again = []
    for one in made_again(log, maps, wanted):
        again.append(one)
        told()
    return report(wanted, again, rewards_of(log), {key: one.chance for key, one in ratings_of(log).tried().items()})


def report(
    wanted: PolicyKey,
    again: Sequence[Again],
    rewards: Mapping[Attempt, float],
    chances: Mapping[Attempt, float] = MappingProxyType({}),
) -> Replay:
    """Return what differs, and what the candidate would have earned if the log can tell.

    `chances` are those of being judged.
    """
    judged = [_logged(one, rewards[key_of(one.choice)]) for one in again if key_of(one.choice) in rewards]
    differing = [one for one in again if one.differs]
    weighted = weights(judged)
    refused = missing_support(judged)
    found = None if refused else estimates(judged)
    return Replay(
        policy=wanted.name,
        parameters=wanted.settings,
        decisions=len(again),
        with_reward=len(judged),
        differing_share=len(differing) / len(again) if again else 0.0,
        differing_by_domain=_by(again, lambda one: one.domain),
        differing_by_agent=_by(again, lambda one: one.choice.agent),
        examples=tuple(_instance(one, rewards.get(key_of(one.choice))) for one in _spread(differing)),
        logged_reward=mean_if_any([one.reward for one in judged]),
        logged_reward_all_judged=_all_judged(again, rewards, chances),
        ips=found.ips if found else None,
        snips=found.snips if found else None,
        dr=found.dr if found else None,
        gain=found.gain if found else None,
        ess=effective_size(weighted),
        largest_weight=float(weighted.max(initial=0.0)),
        refused=refused,
    )


def made_again(log: Log, maps: Maps, wanted: PolicyKey) -> Iterator[Again]:
    """Walk the log with the candidate and, beside it, with the model of rewards; raises as `replay` does."""
    for (tenant, scope, digest), choices in groups(log.choices).items():
        used = map_of(maps, digest)
        candidate = walk(Series(tenant, scope, wanted, digest), choices, log, used)
        model = walk(Series(tenant, scope, MODEL, digest), choices, log, used)
        for stop, expecting in zip(candidate, model, strict=True):
            decisions = stop.page.policy.decide_many(stop.contexts, stop.candidates, stop.fits)
            for choice, decision, expected in zip(stop.choices, decisions, expected_at(expecting), strict=True):
                yield Again(choice, decision, choose(decision, choice.draw).agent, expected)


def expected_at(stop: Stop) -> list[tuple[float, ...]]:
    """Return for each choice the reward that a policy's scores expect of each agent, sorted by id, within 0 and 1."""
    decisions = stop.page.policy.decide_many(stop.contexts, stop.candidates, stop.fits)
    return [tuple(min(1.0, max(0.0, score)) for score in one.scores) for one in decisions]


def groups(choices: Sequence[AgentChosen]) -> dict[tuple[str, str, str], list[AgentChosen]]:
    """Return choices by tenant, scope and context map, in the order of the states that they were made with.

    Partitions are read in any order; among choices of one state the task's id decides, so a log gives one report.
    """
    found: dict[tuple[str, str, str], list[AgentChosen]] = {}
    for choice in sorted(choices, key=lambda one: (one.policy.upto, one.task_id, one.attempt)):
        found.setdefault((choice.tenant, choice.context.scope, choice.context_map), []).append(choice)
    return found


def map_of(maps: Maps, digest: str) -> ContextMap:
    """Return the context map of that digest; raises ContextMapMissing."""
    if digest not in maps:
        raise ContextMapMissing(f"choices were made with context map {digest[:12]}, which does not come with this release")
    return maps[digest]


def rewards_of(log: Log) -> dict[Attempt, float]:
    """Return the reward of each attempt as it stands at the end of the log: the last correction counts."""
    facts = (fact for found in log.examples.values() for _, fact in found)
    return {(fact.tenant, fact.task_id, fact.attempt): fact.reward for fact in facts}


def ratings_of(log: Log) -> Ratings:
    """Return who was judged, of the log's choices."""
    ratings = Ratings()
    for fact in (*log.choices, *log.ended, *(fact for found in log.examples.values() for _, fact in found)):
        ratings.take_in(fact)
    return ratings


def _all_judged(again: Iterable[Again], rewards: Mapping[Attempt, float], chances: Mapping[Attempt, float]) -> Interval | None:
    """Return what was earned in the mean, had all been judged alike; None where ends are missing, or too few were judged."""
    judged = [key for one in again if (key := key_of(one.choice)) in rewards]
    if not judged or any(key not in chances for key in judged):
        return None
    return weighted_mean_if_any([rewards[key] for key in judged], [chances[key] for key in judged])


def key_of(choice: AgentChosen) -> Attempt:
    """Return whose attempt, at which task, a choice was made for."""
    return choice.tenant, choice.task_id, choice.attempt


def logged_as(
    choice: AgentChosen, reward: float, agents: tuple[str, ...], wanted: tuple[float, ...], expected: tuple[float, ...]
) -> Logged:
    """Return a choice with its reward as the estimators take it; `wanted` and `expected` are in the order of `agents`."""
    had = {one.agent: one.probability for one in choice.candidates}
    return Logged(
        agents=agents,
        chosen=agents.index(choice.agent),
        reward=reward,
        logged=tuple(had[agent] for agent in agents),
        wanted=wanted,
        expected=expected,
    )


def _logged(again: Again, reward: float) -> Logged:
    return logged_as(again.choice, reward, again.decision.agents, again.decision.probabilities, again.expected)


def _by(again: Iterable[Again], name_of: Callable[[Again], str]) -> tuple[Differing, ...]:
    """Count by name, sorted."""
    found: dict[str, list[bool]] = {}
    for one in again:
        found.setdefault(name_of(one), []).append(one.differs)
    return tuple(Differing(name, len(each), sum(each), sum(each) / len(each)) for name, each in sorted(found.items()))


def _spread(differing: Sequence[Again]) -> list[Again]:
    """Return a few of the choices that differ, from the first to the last in equal steps."""
    few = min(EXAMPLES, len(differing))
    return [differing[number * (len(differing) - 1) // max(few - 1, 1)] for number in range(few)]


def _instance(again: Again, reward: float | None) -> Instance:
    had = {one.agent: one.probability for one in again.choice.candidates}
    would = dict(zip(again.decision.agents, again.decision.probabilities, strict=True))
    agent, instead = again.choice.agent, again.instead
    return Instance(
        task_id=again.choice.task_id,
        attempt=again.choice.attempt,
        domain=again.domain,
        agent=agent,
        probability=had[agent],
        candidate_probability=would[agent],
        instead=instead,
        instead_probability=had[instead],
        instead_candidate_probability=would[instead],
        reward=reward,
    )
