"""The default policy: its watch, its draws in turn, that a state goes on as it was, and what it forgets."""

import math

import numpy as np
import pytest

from learning.errors import InvalidPolicySetting, UnreadableState
from learning.joint import NOISE, SHARED_LEVEL, SHARED_SLOPE, JointRegression, Own
from learning.optimism import DRAWS, TURNS, fixed_draws
from learning.policies import create
from learning.policies.joint_thompson import JointThompson
from learning.policy import Example, digest
from learning.state import pack, unpack
from learning.watch import MOST, REMEMBERED, SLACK, TRIED, Outcome, Watch

WIDTH = 5


def points(count: int, seed: int = 1) -> np.ndarray:
    """Return contexts of about unit length, the last number a bias."""
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH)) / 2
    rows[:, -1] = 1.0
    return rows


def worsened(alarm: float = 6.0, count: int = 400) -> JointThompson:
    """Return the policy after `b` was right 120 times and then wrong for as long as `a` was right."""
    policy = JointThompson(WIDTH, alarm=alarm)
    for number, point in enumerate(points(count)):
        policy.learn(Example(point, "ab"[number % 2], 0.5, float(number < 240 or number % 2 == 0)))
    return policy


def watched(rewards: list[float], expected: float = 1.0, alarm: float = 6.0) -> tuple[Watch, list[bool]]:
    """Return a watch of one agent after these rewards, and what it said each time; the points are 0, 1, 2, ..."""
    watch = Watch(alarm)
    watch.join(0)
    told = [Outcome(np.array([1.0, float(number)]), reward) for number, reward in enumerate(rewards)]
    return watch, [watch.add(0, one, expected) for one in told]


def test_priors_of_ones_own_are_those_asked_for() -> None:
    """With other spreads of levels and slopes the regression is the posterior under these."""
    own, width = Own(level=0.3**2, slope=0.05**2), 3
    joint, rows = JointRegression(width, 2, own), np.concatenate([np.ones((40, 1)), points(40)[:, :2]], axis=1)
    rewards, design = np.random.default_rng(2).random(40), np.zeros((40, 9))
    for at, row in enumerate(rows):
        joint.add(row, at % 2, rewards[at])
        design[at, :3] = design[at, 3 + 3 * (at % 2) : 6 + 3 * (at % 2)] = row
    prior = np.array([SHARED_LEVEL, *[SHARED_SLOPE] * 2, *[own.level, own.slope, own.slope] * 2])
    told = design.T @ rewards / NOISE + np.array([0.5 / SHARED_LEVEL, *[0.0] * 8])
    solved = np.linalg.solve(np.diag(1.0 / prior) + design.T @ design / NOISE, told).reshape(3, 3)

    assert joint.worth(rows[0]) == pytest.approx([(solved[0] + one) @ rows[0] for one in [*solved[1:], np.zeros(3)]])


def test_draws_in_turn_keep_small_chances() -> None:
    """All sets together are one fine set of quantiles for every candidate, each a whole set by itself, and none like another."""
    sets = [fixed_draws(3, turn) for turn in range(TURNS)]
    together = np.concatenate(sets)

    assert all(one.shape == (DRAWS, 3) and abs(one.std() - 1.0) < 0.03 for one in sets)
    assert (np.sort(together[:, 0]) == np.sort(together[:, 2])).all()
    assert len(np.unique(together[:, 0])) == DRAWS * TURNS
    assert together.max() > sets[0].max() + 0.4


def test_the_turn_follows_from_what_was_learned() -> None:
    """Each example brings the next set of draws, and the figures of a decision name it."""
    policy, context = JointThompson(WIDTH), points(1)[0]
    turns = []
    for _ in range(TURNS + 1):
        turns.append(policy.decide(context, ["a", "b"]).exploration["turn"])
        policy.learn(Example(context, "a", 0.5, 1.0))

    assert turns == [*map(float, range(TURNS)), 0.0]


def test_who_earns_what_is_expected_is_left_alone() -> None:
    """A little less than expected is nothing, and nobody is watched before it was tried often enough."""
    assert not any(watched([1.0 - SLACK] * 500)[1])
    assert not any(watched([0.0] * int(TRIED))[1])


def test_an_alarm_comes_when_the_sum_is_above_it() -> None:
    """The sum grows by what is lacking less the slack; what happened since it was zero still counts, the rest does not."""
    failing = math.ceil(6.0 / (1.0 - SLACK))
    watch, said = watched([1.0] * 50 + [0.0] * failing)

    assert said == [False] * (49 + failing) + [True]
    assert [one.point[1] for one in watch.fall(0)] == list(range(50, 50 + failing))
    assert watch.counts.tolist() == [failing]


def test_what_is_held_to_be_of_a_worse_agent_is_bounded() -> None:
    """An agent that is a little worse for a very long time does not fill the state."""
    watch, _ = watched([1.0 - SLACK - 0.001] * (MOST + 300))

    assert watch.arrays()["since"].shape == (MOST, 4)


def test_a_correction_of_what_no_longer_counts_is_refused() -> None:
    """After an alarm an outcome from before it cannot be moved; later ones can, and before any alarm all of them."""
    watch, _ = watched([1.0] * 50 + [0.0] * 8)
    old, new = (Outcome(np.array([1.0, number]), reward) for number, reward in ((3.0, 1.0), (55.0, 0.0)))
    assert watch.move(0, old, 0.5)
    watch.fall(0)

    assert not watch.move(0, old, 0.5)
    assert watch.move(0, new, 0.5)
    later = Outcome(np.array([1.0, 99.0]), 1.0)
    watch.add(0, later, 0.9)
    assert watch.move(0, later, 0.0)


def test_only_so_many_outcomes_of_one_that_fell_can_be_corrected() -> None:
    """What is remembered of an agent that fell does not grow for ever; the newest are those that can be corrected."""
    watch, _ = watched([1.0] * 50 + [0.0] * 8)
    watch.fall(0)
    told = [Outcome(np.array([1.0, 1000.0 + number]), 1.0) for number in range(REMEMBERED + 1)]
    for one in told:
        watch.add(0, one, 1.0)

    assert watch.arrays()["kept"].shape == (REMEMBERED, 2)
    assert [watch.move(0, one, 0.0) for one in (told[0], told[1], told[-1])] == [False, True, True]


def test_a_correction_after_the_agent_became_worse_is_among_what_is_learned_again() -> None:
    """An outcome that was corrected before the alarm is learned again as corrected."""
    watch, _ = watched([1.0] * 50 + [0.0] * 5)
    watch.move(0, Outcome(np.array([1.0, 52.0]), 0.0), 0.25)

    assert [one.reward for one in watch.fall(0)] == [0.0, 0.0, 0.25, 0.0, 0.0]


def test_an_alarm_forgets_what_an_agent_did_before_it_became_worse() -> None:
    """An agent that was always right and then always wrong is expected to be wrong; without an alarm it is trusted still."""
    alarmed, calm, context = worsened(), worsened(alarm=0.0), points(1, seed=3)[0]
    scores = [dict(zip("ab", policy.decide(context, ["a", "b"]).scores, strict=True)) for policy in (alarmed, calm)]

    assert scores[0]["b"] < scores[1]["b"] - 0.2
    assert abs(scores[0]["a"] - scores[1]["a"]) < 0.1


def test_what_is_left_after_an_alarm_is_what_would_have_been_learned_of_it_alone() -> None:
    """The policy stands where one stands that never heard of what it has forgotten."""
    policy, fresh, fell_at = JointThompson(WIDTH, alarm=6.0), JointThompson(WIDTH, alarm=0.0), 0
    told = [
        Example(point, "ab"[number % 2], 0.5, float(number < 240 or number % 2 == 0)) for number, point in enumerate(points(300))
    ]
    for number, one in enumerate(told):
        before = unpack(policy.dump(), "joint_thompson", 1, WIDTH).arrays["watched"][0].sum()
        policy.learn(one)
        if unpack(policy.dump(), "joint_thompson", 1, WIDTH).arrays["watched"][0].sum() < before:
            fell_at = number
    for number, one in enumerate(told):
        if one.agent == "a" or number > 240:
            fresh.learn(one)

    assert fell_at > 240
    for context in points(5, seed=8):
        left, right = policy.decide(context, ["a", "b", "c"]), fresh.decide(context, ["a", "b", "c"])
        assert left.scores == pytest.approx(right.scores, abs=1e-9)
        assert left.probabilities == pytest.approx(right.probabilities, abs=0.02)  # shares of draws jump by 1/256


@pytest.mark.parametrize("count", [0, 1, 60, 250, 262, 400])
def test_a_state_goes_on_as_it_was(count: int) -> None:
    """Before and after an agent falls, with newcomers and corrections, a reloaded state is the same to the bit."""
    policy, told = worsened(count=count), points(max(count, 1))
    if count > 1:
        policy.revise(Example(told[1], "b", 0.5, 0.5), 1.0)
    copy = JointThompson.load(policy.dump(), WIDTH)

    assert digest(copy) == digest(policy)
    for number, context in enumerate(points(80, seed=9)):
        for one in (policy, copy):
            one.learn(Example(context, "0bc"[number % 3], 0.5, float(number % 4 == 0)))
        assert copy.decide(context, ["a", "b", "0"]) == policy.decide(context, ["a", "b", "0"])
    assert copy.dump() == policy.dump()
    assert digest(copy) == digest(policy)


def test_the_digest_tells_every_example_from_any_other() -> None:
    """States that took in other contexts, agents or rewards, or corrected one, have other digests."""
    told = [Example(point, "a", 0.5, 1.0) for point in points(2)]
    other_agent, other_reward = (Example(told[0].context, agent, 0.5, reward) for agent, reward in (("b", 1.0), ("a", 0.0)))
    seen = set()
    for examples in ([], told[:1], told, [other_agent], [other_reward]):
        policy = JointThompson(WIDTH)
        for example in examples:
            policy.learn(example)
        seen.add(digest(policy))
    policy.revise(Example(told[0].context, "a", 0.5, 0.25), 0.0)

    assert len(seen | {digest(policy)}) == 6


@pytest.mark.parametrize("settings", [{"slope": 0.0}, {"level": -0.1}, {"alarm": -1.0}, {"floor": math.nan}, {"optimism": 0.0}])
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, float | str]) -> None:
    """Spreads of nothing, an alarm below nothing, no floor: each is refused by name."""
    with pytest.raises(InvalidPolicySetting, match="joint_thompson"):
        create("joint_thompson", WIDTH, settings)


@pytest.mark.parametrize(
    ("name", "broken"), [("since", (1, WIDTH + 2)), ("kept", (1, 2)), ("watched", (3, 7)), ("since", (2, 3))]
)
def test_a_state_that_does_not_fit_its_agents_is_refused(name: str, broken: tuple[int, ...]) -> None:
    """Outcomes of agents that are not there, and arrays of other shapes, are refused by name."""
    policy = worsened(count=10)
    arrays = unpack(policy.dump(), "joint_thompson", 1, WIDTH).arrays | {name: np.full(broken, 9.0)}

    with pytest.raises(UnreadableState):
        JointThompson.load(pack("joint_thompson", 1, WIDTH, policy.settings, ["a", "b"], arrays), WIDTH)
