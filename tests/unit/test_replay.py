"""`policy replay`: the candidate knows at each choice what was known then, and what differs is counted and shown."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from events.learning import ExampleSuperseded
from events.wire import Incoming, encode
from learning.book import Page, PolicyKey
from learning.errors import InvalidPolicySetting
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from smolit.audit.choices import Log, sort_log
from smolit.counterfactual.replay import (
    ContextMapMissing,
    NeverOffered,
    Replay,
    check_offered,
    made_again,
    replay,
    report,
    rewards_of,
)
from tests import builders
from tests.choosing import AGENTS, choice, example, offers, simulated

RIDGE, UNIFORM = PolicyKey.of("ridge_igw", {}), PolicyKey.of("uniform", {})
SCOPE = ("default", "default")
EVERY = 80


@pytest.fixture(scope="module")
def context_map() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


def history(key: PolicyKey, context_map: ContextMap, every: int = EVERY, late: int = 3) -> Log:
    """Return choices of a policy that learns what they earned only some choices later; bert alone is any good."""
    page, choices, examples = Page(key.make(context_map.width)), [], []
    for number in range(1, every + 1):
        choices.append(choice(page, context_map, number))
        made = replace(example(number, float(choices[-1].agent == "bert")), task_id=choices[-1].task_id, attempt=1)
        examples.append((10 * number, replace(made, agent=choices[-1].agent, propensity=choices[-1].propensity)))
        if number > late:
            offset, fact = examples[number - late - 1]
            page.take_in(fact, offset, lambda seen: context_map.apply(seen.embedding, seen.surface))
    return Log({SCOPE: examples}, choices, 0)


def replayed(log: Log, context_map: ContextMap, name: str, **settings: Any) -> Replay:
    """Replay a log with a candidate."""
    return replay(log, {context_map.digest: context_map}, PolicyKey.of(name, settings))


@pytest.fixture(scope="module")
def ridge_log(context_map: ContextMap) -> Log:
    """What the default policy did, learning late."""
    return history(RIDGE, context_map)


@pytest.fixture(scope="module")
def uniform_log(context_map: ContextMap) -> Log:
    """What a policy did that gives everybody the same chance."""
    return history(UNIFORM, context_map)


def test_the_policy_that_served_chooses_as_it_did(ridge_log: Log, context_map: ContextMap) -> None:
    """With examples as late as they were, each choice and each probability comes out again: no weight but one."""
    found = replayed(ridge_log, context_map, "ridge_igw")

    assert (found.decisions, found.with_reward, found.differing_share) == (EVERY, EVERY, 0.0)
    assert (found.largest_weight, found.examples) == (1.0, ())
    assert found.ips is not None
    assert found.logged_reward is not None
    assert found.ips.value == pytest.approx(found.logged_reward.value)


@pytest.mark.parametrize("name", ["ridge_igw", "joint_thompson"])
def test_a_candidate_never_sees_what_was_not_known_yet(uniform_log: Log, context_map: ContextMap, name: str) -> None:
    """Rewards turned round change nothing at choices that were made before they were known, and something after."""
    known = uniform_log.examples[SCOPE][EVERY // 2][0]
    turned = [(at, replace(fact, reward=1.0 - fact.reward) if at >= known else fact) for at, fact in uniform_log.examples[SCOPE]]

    before, after = (
        [(one.choice.policy.upto, one.decision.probabilities, one.expected) for one in again]
        for again in (
            made_again(log, {context_map.digest: context_map}, PolicyKey.of(name, {}))
            for log in (uniform_log, uniform_log._replace(examples={SCOPE: turned}))
        )
    )

    earlier = [number for number, (upto, _, _) in enumerate(before) if upto < known]
    assert len(earlier) > EVERY // 2
    assert [before[number] for number in earlier] == [after[number] for number in earlier]
    assert before[len(earlier) :] != after[len(earlier) :]


def test_intervals_hold_what_a_learning_candidate_would_have_earned(context_map: ContextMap) -> None:
    """Of 100 histories of a uniform policy, each estimate's interval holds the true value in 93 or more.

    True is the mean, over the choices of a history, of what the candidate's probabilities there would have earned.
    """
    page = Page(UNIFORM.make(context_map.width))
    offered = offers(page, context_map, 150)
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    for seed in range(100):
        log, worth = simulated(offered, seed)
        again = list(made_again(log, {context_map.digest: context_map}, RIDGE))
        told = msgspec.to_builtins(report(RIDGE, again, rewards_of(log)))
        earned = [_dot(one.decision.probabilities, worth[one.choice.task_id]) for one in again]
        true = sum(earned) / len(earned)
        for kind in held:
            held[kind] += told[kind]["low"] <= true <= told[kind]["high"]

    assert min(held.values()) >= 93


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_what_a_candidate_would_have_learned_counts(context_map: ContextMap) -> None:
    """A policy that learns from the logged examples finds bert, and the estimates say that it earns more than the log."""
    found = replayed(history(UNIFORM, context_map, every=200), context_map, "ridge_igw")

    assert found.gain is not None
    assert found.gain.low > 0.5
    chosen = {one.name: one for one in found.differing_by_agent}
    assert chosen["bert"].share < min(chosen["clara"].share, chosen["dora"].share)


def test_differences_are_counted_by_domain_and_agent(uniform_log: Log, context_map: ContextMap) -> None:
    """A candidate that always takes clara differs wherever somebody else was chosen; examples show it."""
    kinds = [
        replace(one, context=replace(one.context, kind="even" if n % 2 else None)) for n, one in enumerate(uniform_log.choices)
    ]
    found = replayed(uniform_log._replace(choices=kinds), context_map, "fixed", agent="clara")

    shares = {one.name: one.share for one in found.differing_by_agent}
    assert shares == {"bert": 1.0, "clara": 0.0, "dora": 1.0}
    assert {one.name: one.decisions for one in found.differing_by_domain} == {"even": EVERY // 2, "default": EVERY // 2}
    assert sum(one.differing for one in found.differing_by_domain) == round(found.differing_share * EVERY)
    assert {(one.instead, one.candidate_probability, one.instead_candidate_probability) for one in found.examples} == {
        ("clara", 0.0, 1.0)
    }


def test_what_the_log_cannot_tell_is_refused(uniform_log: Log, context_map: ContextMap) -> None:
    """Too few choices speak for the candidate, or none could: no estimate, but what differs is told all the same."""
    never = [replace(one, candidates=tuple(_only(one.agent, who) for who in one.candidates)) for one in uniform_log.choices]

    few = replayed(uniform_log, context_map, "fixed", agent="dora")
    blind = replayed(uniform_log._replace(choices=never), context_map, "uniform")

    assert "weigh like" in str(few.refused)
    assert "66.7% of the candidate's choices" in str(blind.refused)
    assert (few.ips, few.snips, few.dr, few.differing_share > 0) == (None, None, None, True)


def _only(agent: str, candidate: Any) -> Any:
    """Return a candidate whose chance is all or nothing."""
    return replace(candidate, probability=float(candidate.agent == agent))


def test_the_last_reward_of_an_attempt_counts(ridge_log: Log, context_map: ContextMap) -> None:
    """A correction replaces the reward that it corrects, wherever in the log it stands."""
    first = ridge_log.examples[SCOPE][0][1]
    fields = {
        name: getattr(first, name)
        for name in ("tenant", "scope", "task_id", "attempt", "agent", "features", "propensity", "rule")
    }
    late = ExampleSuperseded(**fields, sequence=EVERY + 1, revision=1, old_reward=first.reward, reward=1.0 - first.reward)
    corrected = {SCOPE: [*ridge_log.examples[SCOPE], (10_000, late)]}

    before = replayed(ridge_log, context_map, "ridge_igw").logged_reward
    after = replayed(ridge_log._replace(examples=corrected), context_map, "ridge_igw").logged_reward

    assert before is not None
    assert after is not None
    assert after.value - before.value == pytest.approx((1 - 2 * first.reward) / EVERY)


def test_a_choice_without_a_reward_is_no_ground_for_an_estimate(ridge_log: Log, context_map: ContextMap) -> None:
    """What nobody judged is counted among the decisions only."""
    found = replayed(ridge_log._replace(examples={SCOPE: ridge_log.examples[SCOPE][:60]}), context_map, "uniform")

    assert (found.decisions, found.with_reward) == (EVERY, 60)


def test_what_cannot_be_replayed_is_an_error(ridge_log: Log, context_map: ContextMap) -> None:
    """A context map that did not come along, and settings that the candidate cannot take, are named."""
    with pytest.raises(ContextMapMissing, match=context_map.digest[:12]):
        replay(ridge_log, {}, UNIFORM)
    with pytest.raises(InvalidPolicySetting):
        replayed(ridge_log, context_map, "fixed")


def test_an_agent_that_was_never_offered_is_named(ridge_log: Log) -> None:
    """A name that is mistyped is no draw among all others: refused, with those that could have been chosen."""
    with pytest.raises(NeverOffered, match=f"'nobody'; they were between {', '.join(sorted(AGENTS))}"):
        check_offered(ridge_log, PolicyKey.of("fixed", {"agent": "nobody"}))
    check_offered(ridge_log, PolicyKey.of("fixed", {"agent": AGENTS[0]}))
    check_offered(ridge_log, UNIFORM)


def test_the_report_has_the_documented_keys(ridge_log: Log, context_map: ContextMap) -> None:
    """JSON names what was counted and estimated."""
    told = msgspec.to_builtins(replayed(ridge_log, context_map, "uniform"))

    assert told.keys() >= {"policy", "decisions", "with_reward", "differing_share", "logged_reward", "ess", "largest_weight"}
    assert {agent["name"] for agent in told["differing_by_agent"]} <= set(AGENTS)


def test_one_log_gives_one_report(uniform_log: Log, context_map: ContextMap) -> None:
    """In whatever order partitions were read, figures and examples are the same."""
    turned = uniform_log._replace(choices=uniform_log.choices[::-1])

    assert replayed(turned, context_map, "fixed", agent="clara") == replayed(uniform_log, context_map, "fixed", agent="clara")


def test_only_wanted_records_are_choices(ridge_log: Log) -> None:
    """A range keeps the choices in it; one whose first record lies before it does not come in by its repeat."""
    made = [encode("t", builders.stamped(ridge_log.choices[number])) for number in (0, 1, 0)]
    records = [Incoming("t", 0, number, one.key, one.headers, one.value) for number, one in enumerate(made)]

    found = sort_log(records, lambda record: record.offset >= 1)

    assert (found.choices, found.repeated) == ([ridge_log.choices[1]], 1)
