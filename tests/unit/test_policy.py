"""Choosing, the inverse-gap weights, and recomputing a recorded choice."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import InvalidPolicySetting, UnreadableState
from learning.inverse_gap import inverse_gap_weights
from learning.policies import create
from learning.policies.ridge_igw import RidgeIgw
from learning.policy import Choice, Decision, Example, Policy, choose, digest
from learning.state import pack, unpack
from learning.verify import Recorded, Verdict, compare

AGENTS = ("coder", "poet", "sage")
CONTEXT = np.array([0.6, 0.8, 1.0])


def decision(*probabilities: float, favourite: str | None = "poet") -> Decision:
    """Return a decision over as many of the agents as there are probabilities."""
    half = (0.5,) * len(probabilities)
    return Decision(AGENTS[: len(probabilities)], half, {"pooled": half}, probabilities, favourite, {})


def experienced() -> Policy:
    """Return a policy that has seen the poet succeed and the coder fail."""
    policy = create("ridge_igw", 3)
    for _ in range(20):
        policy.learn(Example(CONTEXT, "poet", 0.5, 1.0))
        policy.learn(Example(CONTEXT, "coder", 0.5, 0.0))
    return policy


def recorded(policy: Policy, draw: float = 0.4) -> Recorded:
    """Return a true record of a choice by this policy."""
    made = policy.decide(CONTEXT, AGENTS)
    choice = choose(made, draw)
    return Recorded(CONTEXT, AGENTS, made.probabilities, draw, choice.agent, choice.propensity, choice.explored, digest(policy))


def recompute(policy: Policy, record: Recorded) -> Verdict:
    """Choose again with the policy as it stands, and compare."""
    return compare(policy, digest(policy), policy.decide(record.context, record.candidates), record)


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (0.0, Choice("coder", 0.25, explored=True)),
        (0.25, Choice("poet", 0.5, explored=False)),
        (0.7499, Choice("poet", 0.5, explored=False)),
        (0.75, Choice("sage", 0.25, explored=True)),
    ],
)
def test_a_draw_picks_the_agent_whose_share_holds_it(draw: float, expected: Choice) -> None:
    """The shares of [0, 1) lie in the order of the agents' ids, and the propensity is the share's size."""
    assert choose(decision(0.25, 0.5, 0.25), draw) == expected


def test_without_a_favourite_every_choice_explores() -> None:
    """A policy without an opinion explores whomever it takes."""
    assert choose(decision(0.5, 0.5, favourite=None), 0.1).explored


def test_inverse_gap_weights_follow_the_formula() -> None:
    """1 / (K + gamma gap) for those behind, the rest for the best (SquareCB)."""
    chances = inverse_gap_weights(np.array([[0.5, 0.9, 0.7]]), np.array([1]), gamma=10.0, floor=0.001)[0]

    assert chances == pytest.approx((1 / 7, 1 - 1 / 7 - 1 / 5, 1 / 5))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=40), st.floats(0.1, 1e4))
def test_inverse_gap_weights_are_those_of_plain_numbers(row: list[float], gamma: float) -> None:
    """Whole columns give every bit of what one number after the other does, so that choices of earlier releases stay true."""
    best, floor = row.index(max(row)), 1 / (4 * len(row))
    chances = [max(floor, 1.0 / (len(row) + gamma * (row[best] - score))) for score in row]
    chances[best] = 1.0 - math.fsum(chance for index, chance in enumerate(chances) if index != best)

    assert inverse_gap_weights(np.array([row]), np.array([best]), gamma, floor) == [tuple(chances)]


def test_the_floor_lifts_whoever_falls_below_it() -> None:
    """Nobody falls below the floor, at the cost of the best alone."""
    chances = inverse_gap_weights(np.array([[0.0, 1.0, 0.9]]), np.array([1]), gamma=1e6, floor=0.01)[0]

    assert chances == pytest.approx((0.01, 0.98, 0.01))


def test_fixed_gives_its_agent_everything() -> None:
    """The named agent has probability one, the others zero."""
    made = create("fixed", 3, {"agent": "poet"}).decide(CONTEXT, AGENTS)

    assert made.probabilities == (0.0, 1.0, 0.0)
    assert (made.favourite, made.note) == ("poet", "")


def test_fixed_without_its_agent_is_uniform_and_says_so() -> None:
    """Where the named agent is no candidate, everybody has the same chance and the decision says why."""
    made = create("fixed", 3, {"agent": "gone"}).decide(CONTEXT, AGENTS)

    assert made.probabilities == (1 / 3, 1 / 3, 1 / 3)
    assert made.favourite is None
    assert "'gone' is not a candidate" in made.note


@pytest.mark.parametrize(
    ("name", "settings"),
    [("fixed", {}), ("ridge_igw", {"ridge": 0.0}), ("ridge_igw", {"gain": math.nan}), ("ridge_igw", {"floor": -1.0})],
)
def test_a_setting_that_makes_no_sense_is_refused(name: str, settings: dict[str, float | str]) -> None:
    """A missing agent, or a number that is not positive, is refused by name."""
    with pytest.raises(InvalidPolicySetting):
        create(name, 3, settings)


def test_the_heads_are_the_ridge_regression_they_claim() -> None:
    """Updating by rank one gives what solving the regression from all examples at once gives."""
    draws = np.random.default_rng(1)
    rows, rewards = draws.standard_normal((50, 3)), draws.random(50)
    policy = RidgeIgw(3, ridge=4.0, trust=10.0)
    for row, reward in zip(rows, rewards, strict=True):
        policy.learn(Example(row, "coder", 1.0, float(reward)))

    pooled = (0.5 + rewards.sum() / 60) / (1 + 50 / 60)
    mean = (rewards.sum() + 10 * pooled) / 60
    slope = np.linalg.solve(4.0 * np.eye(3) + rows.T @ rows, rows.T @ (rewards - mean))
    scored = policy.decide(CONTEXT, ["coder"]).candidates[0]
    assert scored.parts == pytest.approx({"pooled": pooled, "agent": mean - pooled, "text": slope @ CONTEXT})


def test_a_true_record_is_confirmed() -> None:
    """The choice comes out the same, to the bit, from the state, context and draw it was made with."""
    policy = experienced()

    assert recompute(policy, recorded(policy)).equal


def test_a_true_record_is_confirmed_after_a_reload() -> None:
    """What is recomputed from a snapshot equals what was recorded by the process that folded the log."""
    policy = experienced()

    assert recompute(RidgeIgw.load(policy.dump(), 3), recorded(policy)).equal


def test_a_record_lists_its_candidates_in_any_order() -> None:
    """A record whose candidates are not sorted is compared agent by agent."""
    policy = experienced()
    record = recorded(policy)

    turned = replace(record, candidates=record.candidates[::-1], probabilities=record.probabilities[::-1])
    assert recompute(policy, turned).equal


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("agent", {"agent": "sage"}),
        ("propensity", {"propensity": 0.123}),
        ("explored", {"explored": True}),
        ("state digest", {"digest": "00"}),
        ("number of probabilities", {"probabilities": (1.0,)}),
    ],
)
def test_a_false_record_is_found_out(what: str, change: dict[str, object]) -> None:
    """Each figure of a record that is not what comes out is named, with both values."""
    policy = experienced()
    record = replace(recorded(policy), **change)  # type: ignore[arg-type]  # the fields vary by case

    assert what in [difference.what for difference in recompute(policy, record).differences]


def test_the_smallest_change_of_a_probability_is_found_out() -> None:
    """Recorded probabilities are compared exactly: one bit off is a difference."""
    policy = experienced()
    record = recorded(policy)
    nudged = (math.nextafter(record.probabilities[0], 1.0), *record.probabilities[1:])

    verdict = recompute(policy, replace(record, probabilities=nudged))
    assert [difference.what for difference in verdict.differences] == ["probability of coder"]


def test_one_example_more_is_found_out() -> None:
    """A policy that has learned one example more than the recorded state does not confirm the record."""
    policy = experienced()
    record = recorded(policy)
    policy.learn(Example(CONTEXT, "sage", 0.1, 1.0))

    assert not recompute(policy, record).equal


def test_a_state_comes_back_as_it_was_packed() -> None:
    """Header and arrays survive, shapes and bits included."""
    arrays = {"first": np.arange(6.0).reshape(2, 3), "second": np.array([0.1])}
    state = unpack(pack("x", 1, 3, {"gain": 2.0}, ["a", "b"], arrays), "x", 1, 3)

    assert (state.header.settings, state.header.agents) == ({"gain": 2.0}, ["a", "b"])
    assert all((state.arrays[name] == array).all() for name, array in arrays.items())


def test_the_bytes_of_a_state_are_pinned() -> None:
    """Stored states outlive releases: the same state has the same bytes in every one of them."""
    packed = pack("x", 1, 1, {}, ["a"], {"n": np.array([1.0])})

    assert packed == (
        b"smolit-state/1\n\x00\x00\x00\x00\x00\x00\x00\x65"
        b'{"agents":["a"],"arrays":[{"name":"n","shape":[1]}],"policy":"x","settings":{},"version":1,"width":1}'
        b"\x00\x00\x00\x00\x00\x00\xf0?"
    )


@pytest.mark.parametrize("agents", [["b", "a"], ["a", "a"]])
def test_a_state_with_unsorted_agents_is_refused(agents: list[str]) -> None:
    """There is one form of a state: agents sorted, each once."""
    with pytest.raises(UnreadableState, match="sorted"):
        unpack(pack("x", 1, 1, {}, agents, {}), "x", 1, 1)


def test_a_state_with_arrays_of_another_shape_is_refused() -> None:
    """A header that announces other arrays than the policy has is refused, whatever follows it."""
    state = pack("ridge_igw", 1, 3, {}, ["a"], {"means": np.zeros((1, 2))})

    with pytest.raises(UnreadableState, match="arrays"):
        RidgeIgw.load(state, 3)


def test_every_example_and_every_correction_moves_the_digest() -> None:
    """What the policy holds of one agent is read again whenever it moved, and a loaded copy is marked alike."""
    policy, seen = create("ridge_igw", 3), set[str]()
    for agent in (*AGENTS, "coder"):
        policy.learn(Example(CONTEXT, agent, 0.5, 0.75))
        seen.add(digest(policy))
    policy.revise(Example(CONTEXT, "poet", 0.5, 0.25), 0.75)
    seen.add(digest(policy))

    assert len(seen) == 5
    assert digest(RidgeIgw.load(policy.dump(), 3)) == digest(policy)


def test_a_choice_recorded_with_the_digest_of_the_whole_state_is_still_true() -> None:
    """Releases before wrote the digest of the state's bytes; those records stay what they are."""
    policy = experienced()
    before = replace(recorded(policy), digest=hashlib.sha256(policy.dump()).hexdigest())

    assert before.digest != digest(policy)
    assert recompute(policy, before).equal
    assert not recompute(policy, replace(before, digest="0" * 64)).equal
