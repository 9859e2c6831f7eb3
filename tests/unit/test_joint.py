"""The joint regression of all agents, what is drawn from it, and how much means are trusted."""

import numpy as np
import pytest

from learning.joint import LEVEL, NOISE, OWN_LEVEL, OWN_SLOPE, SHARED_LEVEL, SHARED_SLOPE, JointRegression
from learning.optimism import DRAWS, clips, fixed_draws, shares
from learning.trust import trust


def points(count: int, width: int = 5, seed: int = 1) -> np.ndarray:
    """Return contexts as a regression sees them, the last number a bias."""
    rows = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    rows[:, -1] = 1.0
    return rows


def test_the_regression_is_the_posterior_it_claims() -> None:
    """Moving small matrices by rank one gives what solving the joint regression of all agents at once gives."""
    bits, width, agents, count = np.random.default_rng(3), 4, 3, 60
    joint = JointRegression(width, agents)
    rows = np.concatenate([np.ones((count, 1)), bits.standard_normal((count, width - 1))], axis=1)
    owners, rewards = bits.integers(agents, size=count), bits.random(count)
    design = np.zeros((count, width * (agents + 1)))
    for at, (row, owner, reward) in enumerate(zip(rows, owners.tolist(), rewards.tolist(), strict=True)):
        joint.add(row, owner, reward)
        design[at, :width] = design[at, width * (owner + 1) : width * (owner + 2)] = row
    shared, own = ([level, *[slope] * (width - 1)] for level, slope in ((SHARED_LEVEL, SHARED_SLOPE), (OWN_LEVEL, OWN_SLOPE)))
    precision = 1.0 / np.array([*shared, *own * agents])
    told = design.T @ rewards / NOISE
    told[0] += LEVEL / SHARED_LEVEL
    solved = np.linalg.solve(np.diag(precision) + design.T @ design / NOISE, told).reshape(agents + 1, width)

    for row in rows[:5]:
        assert joint.worth(row) == pytest.approx([*((solved[0] + one) @ row for one in solved[1:]), solved[0] @ row])


def test_a_moved_reward_is_as_if_it_had_been_right() -> None:
    """A corrected reward leaves the regression where the right one would have."""
    wrong, right = JointRegression(3, 2), JointRegression(3, 2)
    rows = np.concatenate([np.ones((20, 1)), points(20, 2)], axis=1).astype(float)
    for at, row in enumerate(rows):
        wrong.add(row, at % 2, 0.3)
        right.add(row, at % 2, 0.8)
        wrong.move(row, at % 2, 0.5)

    assert wrong.worth(rows[0]) == pytest.approx(right.worth(rows[0]), abs=1e-12)


def test_the_draws_are_fixed_normal_quantiles_in_an_order_per_candidate() -> None:
    """Every candidate has the same 256 quantiles, so no one is lucky; its order does not depend on how many others there are."""
    few, many = fixed_draws(3), fixed_draws(20)

    assert (few == many[:, :3]).all()
    assert np.sort(many[:, 4]) == pytest.approx(np.sort(many[:, 11]))
    assert many[:, 0].mean() == pytest.approx(0.0, abs=1e-12)
    assert many[:, 0].std() == pytest.approx(1.0, abs=0.02)
    assert abs(np.corrcoef(many[:, 0], many[:, 1])[0, 1]) < 0.2


def test_shares_are_exact_and_follow_the_means() -> None:
    """Shares are whole numbers of draws and sum to one; equals share alike, who is far ahead has all."""
    level = shares(np.zeros((1, 4)), np.ones(4), np.full(4, 9.0))[0]
    ahead = shares(np.array([[0.0, 9.0]]), np.ones(2) / 10, np.full(2, 9.0))[0]

    assert level.sum() == ahead.sum() == 1.0
    assert ((level * DRAWS) % 1 == 0).all()
    assert level == pytest.approx(np.full(4, 0.25), abs=0.08)
    assert ahead.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("candidates", [3, 64, 65, 200, 512])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.1, 1.0])
def test_shares_are_those_of_all_values_compared(candidates: int, spread: float) -> None:
    """Whom it leaves out before it draws never wins: shares are those of comparing everybody in every draw, ties to the first."""
    bits = np.random.default_rng(candidates)
    means = np.round(bits.standard_normal((5, candidates)) * spread, 2)
    deviations, limits = 0.02 + bits.random(candidates) * 0.1, bits.random(candidates) * 2

    values = means[:, None, :] + deviations * np.minimum(fixed_draws(candidates), limits)
    wins = [np.bincount(row, minlength=candidates) / DRAWS for row in values.argmax(axis=2)]
    assert (shares(means, deviations, limits) == np.array(wins)).all()


def test_the_clip_takes_chances_from_those_tried_often() -> None:
    """What is tried often may look a little better than it is, what is tried rarely much; a release lets both go."""
    often, rarely = clips(np.array([500.0, 2.0]), 10.0, 600.0, 2, 0.0)
    released = clips(np.array([500.0]), 10.0, 600.0, 2, 500.0)

    assert 0.4 < often < rarely < 3.0
    assert released[0] > often


def test_trust_follows_how_much_agents_differ() -> None:
    """Agents all alike are trusted to be alike; where they differ widely each soon stands for itself."""
    many = np.full(8, 400.0)

    assert trust(many, many * 0.5) > 3 * trust(many, many * np.linspace(0.1, 0.9, 8))
    assert trust(np.zeros(0), np.zeros(0)) == pytest.approx(0.2 / 0.14**2)


def test_an_agent_tried_on_hard_texts_only_is_not_held_to_be_bad() -> None:
    """Two equals, one of them tried where everybody fails more often: their levels come out alike, their means do not."""
    joint, bits = JointRegression(5, 2), np.random.default_rng(5)
    earned: tuple[list[float], list[float]] = ([], [])
    for point in np.roll(points(1200, seed=5), 1, axis=1).astype(float):
        agent = int((bits.random() < 0.9) == (point[1] < 0))
        reward = float(bits.random() < 0.5 - 0.2 * float(np.clip(point[1], -2, 2)))
        joint.add(point, agent, reward)
        earned[agent].append(reward)

    assert np.mean(earned[1]) - np.mean(earned[0]) > 0.2
    assert abs(joint.levels[1] - joint.levels[0]) < 0.1


def test_an_agent_that_is_forgotten_stands_where_what_is_left_would_have_put_it() -> None:
    """Forgetting one agent's outcomes gives the regression that never heard of them."""
    forgetful, fresh = JointRegression(3, 2), JointRegression(3, 2)
    rows = np.concatenate([np.ones((40, 1)), points(40, 2)], axis=1).astype(float)
    for at, row in enumerate(rows):
        forgetful.add(row, at % 2, float(at % 3 == 0))
    forgetful.forget(1, rows[35::2], [0.5] * 3)
    for at, row in enumerate(rows):
        if at % 2 == 0 or at >= 35:
            fresh.add(row, at % 2, 0.5 if at % 2 else float(at % 3 == 0))

    assert forgetful.worth(rows[0]) == pytest.approx(fresh.worth(rows[0]), abs=1e-12)
    assert forgetful.levels == pytest.approx(fresh.levels, abs=1e-12)
