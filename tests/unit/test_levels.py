"""A scope that starts from what its agents are worth elsewhere: what it believes at first, and that it learns as before."""

import numpy as np
import pytest

from learning.errors import InvalidPolicySetting
from learning.joint import LEVEL
from learning.levels import Levels
from learning.policies import create
from learning.policies.joint_thompson import JointThompson
from learning.policy import Example, digest
from tests.unit.test_joint_thompson import WIDTH, points, worsened

TOLD = '{"a":0.8,"b":0.4}'


def taught(levels: str = "", count: int = 300) -> JointThompson:
    """Return a policy after `a` was right two times of three, and `b` of ten."""
    policy = JointThompson(WIDTH, alarm=6.0, levels=levels)
    for number, point in enumerate(points(count)):
        policy.learn(Example(point, "ab"[number % 2], 0.5, float(number % 3 > 0 if number % 2 == 0 else number % 10 == 1)))
    return policy


def test_before_anything_is_learned_agents_are_worth_what_they_were() -> None:
    """Who is listed has that level, who is not their mean; the better one is the favourite, and the parts add up."""
    decision = JointThompson(WIDTH, levels=TOLD).decide(points(1)[0], ["a", "b", "c"])

    assert decision.scores == pytest.approx((0.8, 0.4, 0.6))
    assert decision.favourite == "a"
    assert decision.probabilities[0] > decision.probabilities[2] > decision.probabilities[1]
    for scored in decision.candidates:
        assert sum(scored.parts.values()) == pytest.approx(scored.score)


def test_what_is_learned_there_outweighs_what_was_known() -> None:
    """Levels that are wrong are outgrown: after three hundred examples the other agent is ahead."""
    policy = taught('{"a":0.1,"b":0.9}')

    assert JointThompson(WIDTH, levels='{"a":0.1,"b":0.9}').decide(points(1)[0], ["a", "b"]).favourite == "b"
    assert policy.decide(points(1)[0], ["a", "b"]).favourite == "a"
    assert policy.levels["a"] - policy.levels["b"] > 0.3


def test_rewards_are_judged_against_the_start() -> None:
    """Levels equal for all and in the middle change nothing but the settings: every chance and score is that of none."""
    plain, started = taught(), taught(f'{{"a":{LEVEL},"b":{LEVEL}}}')

    for context in points(20, seed=4):
        mine, other = (policy.decide(context, ["a", "b", "c"]) for policy in (plain, started))
        assert (mine.scores, mine.probabilities) == (other.scores, other.probabilities)
    assert "levels" not in plain.settings
    assert digest(plain) != digest(started)


@pytest.mark.parametrize("count", [0, 7, 300])
def test_a_state_goes_on_as_it_was(count: int) -> None:
    """The levels are part of the state; corrections and later examples meet the same bits after a reload."""
    policy, told = taught(TOLD, count), points(300)
    if count:
        policy.revise(Example(told[0], "a", 0.5, 0.5), 0.0)
    copy = JointThompson.load(policy.dump(), WIDTH)

    assert copy.settings == policy.settings
    for number, context in enumerate(points(60, seed=9)):
        for one in (policy, copy):
            one.learn(Example(context, "abc"[number % 3], 0.5, float(number % 4 == 0)))
        assert copy.decide(context, ["a", "b", "c"]) == policy.decide(context, ["a", "b", "c"])
    assert (copy.dump(), digest(copy)) == (policy.dump(), digest(policy))


def test_a_correction_is_as_if_it_had_been_right_at_once() -> None:
    """With levels, too, and also of what the watch holds."""
    rows = points(40)
    right, corrected = (JointThompson(WIDTH, alarm=6.0, levels=TOLD) for _ in range(2))
    for number, row in enumerate(rows):
        right.learn(Example(row, "a", 0.5, float(number != 39)))
        corrected.learn(Example(row, "a", 0.5, 1.0))
    corrected.revise(Example(rows[39], "a", 0.5, 0.0), 1.0)

    found = [policy.decide(rows[0], ["a", "b"]).scores for policy in (right, corrected)]
    assert found[0] == pytest.approx(found[1], abs=1e-12)


def test_the_levels_of_one_scope_are_the_start_of_another() -> None:
    """What a policy says of its agents is what the next one believes, to four digits; a fall counts."""
    policy = worsened()
    started = JointThompson(WIDTH, levels=Levels.rounded(policy.levels).told)

    decision = started.decide(np.append(np.zeros(WIDTH - 1), 1.0), ["a", "b"])
    assert decision.scores == pytest.approx(tuple(policy.levels[agent] for agent in "ab"), abs=1e-4)
    assert policy.levels["a"] > policy.levels["b"]


@pytest.mark.parametrize("levels", ["[0.5]", '{"a": 1.5}', '{"a": "good"}', "{", '{"a": -0.1}'])
def test_levels_that_are_none_are_refused(levels: str) -> None:
    """The setting is named."""
    with pytest.raises(InvalidPolicySetting, match=r"joint_thompson: .*level"):
        create("joint_thompson", WIDTH, {"levels": levels})
