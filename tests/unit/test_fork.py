"""`policy replay --fork`: a candidate's lives on a log earn what it truly would, and learn from their own choices alone."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen
from learning.book import Page, PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.policy import Example, choose
from smolit.audit.choices import Log
from smolit.counterfactual.fork import Walked, lived
from smolit.counterfactual.fork_report import Fork, fork, report
from smolit.counterfactual.replay import replay, rewards_of
from tests.choosing import AGENTS, offers, simulated, worth_of

Offered = Sequence[tuple[AgentChosen, ExampleRecorded]]
RIDGE, UNIFORM = PolicyKey.of("ridge_igw", {}), PolicyKey.of("uniform", {})
BERT = PolicyKey.of("fixed", {"agent": "bert"})
SCOPE = ("default", "default")
ESTIMATES = ("matched_reward", "ips", "snips", "dr")
TASKS = 150


@pytest.fixture(scope="module")
def context_map() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


@pytest.fixture(scope="module")
def offered(context_map: ContextMap) -> Offered:
    """Choices between bert and clara."""
    return offers(Page(UNIFORM.make(context_map.width)), context_map, TASKS)


def forked(log: Log, context_map: ContextMap, wanted: PolicyKey = RIDGE, seeds: int = 2) -> Fork:
    """Fork a log."""
    return fork(log, {context_map.digest: context_map}, wanted, seeds)


def walked_of(log: Log, context_map: ContextMap, wanted: PolicyKey = RIDGE, seeds: int = 1) -> list[Walked]:
    """Return what every life did at every task."""
    return list(lived(log, {context_map.digest: context_map}, wanted, seeds))


def estimated(
    offered: Offered, context_map: ContextMap, logs: int, first: float = 0.5
) -> Iterator[tuple[float, dict[str, dict[str, float]]]]:
    """Yield for each log what a life's chances would truly earn, and what is estimated of it."""
    for seed in range(logs):
        log, worth = simulated(offered, seed, first=first)
        walked = walked_of(log, context_map)
        true = fmean(_dot(one.chances, worth[one.choice.task_id]) for one in walked)
        yield true, msgspec.to_builtins(report(RIDGE, 1, walked, rewards_of(log)))


def test_intervals_hold_what_the_candidate_truly_earns(offered: Offered, context_map: ContextMap) -> None:
    """Of 100 uniform logs, each estimate's interval holds the truth in 93 or more; lives earn what they do without a log."""
    found = list(estimated(offered, context_map, 100))
    alone = own_lives(offered, context_map, 300)

    held = {kind: sum(told[kind]["low"] <= true <= told[kind]["high"] for true, told in found) for kind in ESTIMATES}
    earned = [told["matched_reward"]["value"] for _, told in found]
    assert min(held.values()) >= 93
    assert fmean(earned) == pytest.approx(fmean(alone), abs=3 * math.hypot(_error(earned), _error(alone)))


def test_weights_correct_what_the_log_favoured(offered: Offered, context_map: ContextMap) -> None:
    """Where bert was chosen at three tasks of four, what is known flatters bert; weighted estimates are right on average."""
    found = [one for one in estimated(offered, context_map, 50, first=0.75) if one[1]["refused"] is None]

    assert len(found) >= 45
    off = {kind: [told[kind]["value"] - true for true, told in found] for kind in ESTIMATES}
    assert fmean(off["matched_reward"]) > 3 * _error(off["matched_reward"])
    assert all(abs(fmean(off[kind])) < 3 * _error(off[kind]) for kind in ("ips", "snips", "dr"))


def own_lives(offered: Offered, context_map: ContextMap, lives: int) -> list[float]:
    """Return what lives truly earn in the mean where nothing is passed over: half of the tasks, as a log lets through."""
    seen = [one.context.features for one, _ in offered]
    contexts = [context_map.apply(one.embedding, one.surface) for one in seen]
    worth = list(worth_of(offered).values())
    return [_own_life(contexts, worth, np.random.Generator(np.random.PCG64(seed))) for seed in range(lives)]


def _own_life(contexts: Sequence[Any], worth: Sequence[tuple[float, float]], bits: np.random.Generator, late: int = 3) -> float:
    policy, told, earned = RIDGE.make(len(contexts[0])), list[tuple[int, Example]](), []
    for number in np.flatnonzero(bits.random(len(contexts)) < 0.5).tolist():
        while told and told[0][0] <= number - late:
            policy.learn(told.pop(0)[1])
        decision = policy.decide(contexts[number], AGENTS[:2])
        drawn = choose(decision, bits.random())
        earned.append(_dot(decision.probabilities, worth[number]))
        reward = float(bits.random() < worth[number][AGENTS.index(drawn.agent)])
        told.append((number, Example(contexts[number], drawn.agent, drawn.propensity, reward)))
    return fmean(earned)


def test_a_life_knows_its_own_outcomes_alone(offered: Offered, context_map: ContextMap) -> None:
    """Outcomes of what it did not choose, turned round, change no chance of it; its own do, though not before they were known."""
    log, _ = simulated(offered, 3)
    before = walked_of(log, context_map)
    own = {one.choice.task_id for one in before if one.steps[0].agent == one.choice.agent}

    others = walked_of(turned(log, lambda fact: fact.task_id not in own), context_map)
    mine = walked_of(turned(log, lambda fact: fact.task_id in own), context_map)

    assert 50 < len(own) < 100
    assert chances(others) == chances(before)
    assert chances(mine) != chances(before)
    first = next(number for number, one in enumerate(before) if one.choice.task_id in own)
    heard = next(number for number, one in enumerate(before) if one.choice.policy.upto >= 10 * first)
    assert chances(mine)[:heard] == chances(before)[:heard]
    assert chances(mine)[heard] != chances(before)[heard]


def test_a_life_that_always_chooses_as_was_chosen_knows_what_the_log_does(offered: Offered, context_map: ContextMap) -> None:
    """On a log of certain choices nothing is passed over: every chance is what a replay gives, and so is every estimate."""
    log, _ = simulated(offered, 4, first=1.0)

    again = replay(log, {context_map.digest: context_map}, BERT)
    found = forked(log, context_map, BERT)

    assert (found.matched, found.matched_share, found.fair, found.least_chance) == (TASKS, 1.0, False, 0.0)
    assert (found.ips, found.snips, found.gain) == (again.ips, again.snips, again.gain)
    assert found.matched_reward is not None
    assert found.matched_reward.value == pytest.approx(sum(fact.reward for _, fact in log.examples[SCOPE]) / TASKS)


def test_what_was_learned_before_the_fork_counts(offered: Offered, context_map: ContextMap) -> None:
    """A life begins with the state that the log had come to, others' choices in it."""
    log, _ = simulated(offered, 5)
    later = log._replace(choices=log.choices[100:])

    first = walked_of(later, context_map)[0]
    again = list(lived(log, {context_map.digest: context_map}, UNIFORM, 1))
    page = Page(RIDGE.make(context_map.width))
    for offset, fact in log.examples[SCOPE]:
        if offset <= first.choice.policy.upto:
            page.take_in(fact, offset, lambda seen: context_map.apply(seen.embedding, seen.surface))
    seen = first.choice.context.features

    assert len(again) == TASKS
    assert page.sequence == 98
    assert first.chances == page.policy.decide(context_map.apply(seen.embedding, seen.surface), AGENTS[:2]).probabilities


def test_another_attempt_tells_how_the_other_agent_did(offered: Offered, context_map: ContextMap) -> None:
    """Where both agents had every task, nothing is passed over; estimates count first choices, whose chances are known."""
    log, _ = simulated(offered, 6)
    second = [
        (offset + 5, replace(fact, agent=_other(fact.agent), attempt=2, sequence=2 * fact.sequence, reward=0.25))
        for offset, fact in log.examples[SCOPE]
    ]
    first = [(offset, replace(fact, sequence=2 * fact.sequence - 1)) for offset, fact in log.examples[SCOPE]]
    both = log._replace(examples={SCOPE: sorted([*first, *second], key=lambda one: one[0])})

    found = forked(both, context_map, UNIFORM)

    assert (found.tasks, found.matched, found.with_reward) == (TASKS, TASKS, TASKS)
    assert TASKS / 3 < found.matched_otherwise < 2 * TASKS / 3
    assert found.snips is not None
    assert found.logged_reward is not None
    assert found.snips.value == pytest.approx(found.logged_reward.value)
    assert found.matched_reward is not None
    assert found.matched_reward.value == pytest.approx(_mixed(found, found.logged_reward.value), abs=0.05)


def test_corrections_of_own_outcomes_are_learned(offered: Offered, context_map: ContextMap) -> None:
    """A reward that was corrected is learned corrected, and counts as it stands at the end; others' corrections are nothing."""
    log, _ = simulated(offered, 7)
    plain = walked_of(log, context_map)
    own = next(one for one in plain if one.steps[0].reward is not None)
    other = next(one for one in plain if one.steps[0].reward is None)

    assert chances(walked_of(corrected(log, other), context_map)) == chances(plain)
    changed = walked_of(corrected(log, own), context_map)
    assert chances(changed) != chances(plain)
    assert changed[plain.index(own)].steps[0].reward == 1.0 - float(own.steps[0].reward or 0.0)


def test_lives_are_the_same_every_time_and_differ_by_seed(offered: Offered, context_map: ContextMap) -> None:
    """Draws depend on the seed and the task, and on nothing else."""
    log, _ = simulated(offered, 8)

    found = forked(log, context_map, seeds=3)

    assert found == forked(log, context_map, seeds=3)
    assert found.lives[:2] == forked(log, context_map, seeds=2).lives
    assert len({(life.matched, life.reward) for life in found.lives}) == 3
    assert found.matched == fmean(life.matched for life in found.lives)
    assert sum(one.share for one in found.agents) == pytest.approx(1.0)
    assert found.fair
    (alone, _), rest = log.choices[0].candidates, log.choices[1:]
    fewer = replace(log.choices[0], candidates=(replace(alone, probability=1.0),), agent=alone.agent)
    assert not forked(log._replace(choices=[fewer, *rest]), context_map).fair  # a task with one candidate is known for certain


def test_too_little_that_is_known_is_refused(offered: Offered, context_map: ContextMap) -> None:
    """Where the log hardly ever knows how the candidate's choice went, no estimate is made, and the reason is told."""
    short = forked(simulated(offered[:60], 9)[0], context_map)
    blind = forked(simulated(offered, 9, first=0.0)[0], context_map, BERT)

    assert str(short.refused).startswith("of 60 tasks the log knows how the candidate's own choice went at")
    assert "at 0.0 a life; it takes 50" in str(blind.refused)
    assert [getattr(blind, kind) for kind in (*ESTIMATES, "gain")] == [None] * 5
    assert blind.logged_reward is not None


def turned(log: Log, which: Any) -> Log:
    """Return a log with some rewards turned round."""
    examples = [(at, replace(fact, reward=1.0 - fact.reward) if which(fact) else fact) for at, fact in log.examples[SCOPE]]
    return log._replace(examples={SCOPE: examples})


def corrected(log: Log, one: Walked) -> Log:
    """Return a log in which the reward of one task is turned round ten examples later."""
    facts = [fact for _, fact in log.examples[SCOPE]]
    at = next(number for number, fact in enumerate(facts) if fact.task_id == one.choice.task_id)
    names = ("tenant", "scope", "task_id", "attempt", "agent", "features", "propensity", "rule", "sequence")
    fields = {name: getattr(facts[at], name) for name in names} | {"old_reward": facts[at].reward}
    late: Any = ExampleSuperseded(**fields, revision=1, reward=1.0 - facts[at].reward)
    facts.insert(at + 10, late)
    offsets = [offset for offset, _ in log.examples[SCOPE]]
    offsets.insert(at + 10, offsets[at + 9] + 1)
    numbered = [replace(fact, sequence=number) for number, fact in enumerate(facts, start=1)]
    return log._replace(examples={SCOPE: list(zip(offsets, numbered, strict=True))})


def chances(walked: Sequence[Walked]) -> list[tuple[float, ...]]:
    """Return the chances at every task."""
    return [one.chances for one in walked]


def _other(agent: str) -> str:
    return AGENTS[1 - AGENTS.index(agent)]


def _mixed(found: Fork, first: float) -> float:
    """Return the mean of what is known where second attempts all earned .25."""
    share = found.matched_otherwise / found.matched
    return (1.0 - share) * first + share * 0.25


def _error(values: Sequence[float]) -> float:
    return stdev(values) / math.sqrt(len(values))


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
