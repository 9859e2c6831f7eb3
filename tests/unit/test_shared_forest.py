"""The parts of the shared forest: its regression, trees, draws, memory, watch, and that a state goes on as it was."""

import math
from itertools import pairwise

import numpy as np
import pytest

from learning.errors import InvalidPolicySetting, UnreadableState
from learning.forest import Forest
from learning.grow import Crop, grow
from learning.joint import LEVEL, NOISE, OWN_LEVEL, OWN_SLOPE, SHARED_LEVEL, SHARED_SLOPE, JointRegression
from learning.memory import REWARD, Memory, whole
from learning.mixture import FIRST, Habits, Mixture
from learning.optimism import DRAWS, clips, fixed_draws, shares
from learning.policies import create
from learning.policies.shared_forest import SharedForest
from learning.policy import Example, digest
from learning.trust import trust

HABITS = Habits(trees=8, least=10, keep=6000, alarm=6.0, blend=0.5)
SMALL: dict[str, float | str] = {"trees": 8.0, "least": 10.0}


def points(count: int, width: int = 5, seed: int = 1) -> np.ndarray:
    """Return contexts as a forest sees them, the last number a bias."""
    rows = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    rows[:, -1] = 1.0
    return rows


def fed(mixture: Mixture, count: int, seed: int = 1, agents: str = "abc") -> Mixture:
    """Return the mixture after outcomes in which the second agent is good where the first number is positive."""
    bits = np.random.default_rng(seed)
    for point in points(count, seed=seed):
        agent = agents[int(bits.integers(len(agents)))]
        chance = 0.9 if (agent == "b") == (point[0] > 0) else 0.2
        mixture.add(point, agent, float(bits.random() < chance))
    return mixture


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


def test_trees_part_texts_where_agents_differ() -> None:
    """Where one number tells which of two agents is good, the forest tells them apart on both sides."""
    bits, texts = np.random.default_rng(2), points(600)
    columns = bits.integers(2, size=600)
    rewards = ((columns == 1) == (texts[:, 0] > 0)).astype(float)
    root = np.array([0.5, 0.5, 0.5])
    forest = Forest(grow(Crop(texts, columns, rewards, root), range(20), 20, seed=1), np.array([0, 1]))
    forest.fill(texts, columns, rewards * REWARD)
    left, right = (forest.worth(forest.leaves(np.array([side, 0, 0, 0, 1], np.float32)), root) for side in (-1.0, 1.0))

    assert left[0] > left[1] + 0.3
    assert right[1] > right[0] + 0.3
    assert abs(left[2] - 0.5) < 0.1


def test_no_leaf_is_smaller_than_asked() -> None:
    """Each leaf holds `least` records or more, and every record lies in one leaf of every tree."""
    texts, columns, rewards = points(300), np.zeros(300, np.int64), np.random.default_rng(1).random(300)
    forest = Forest(grow(Crop(texts, columns, rewards, np.array([0.5, 0.5])), range(6), 25, seed=1), np.array([0]))
    forest.fill(texts, columns, np.zeros(300))
    counts = forest._counts[:, 0]

    assert counts.sum() == 6 * 300
    assert counts[counts > 0].min() >= 25
    assert (counts[forest.leaves(texts[7])] > 0).all()


def test_the_same_seed_grows_the_same_trees() -> None:
    """Nothing but records and seed decides; another seed grows others."""
    crop = Crop(points(200), np.zeros(200, np.int64), np.random.default_rng(1).random(200), np.array([0.5, 0.5]))
    first, again, other = ([tree.bytes() for tree in grow(crop, range(3), 20, seed)] for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert len(set(first)) == 3


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
    mixture, bits = Mixture(5, HABITS), np.random.default_rng(5)
    for point in points(1200, seed=5):
        agent = "ab"[int((bits.random() < 0.9) == (point[0] < 0))]
        mixture.add(point, agent, float(bits.random() < 0.5 - 0.2 * float(np.clip(point[0], -2, 2))))
    means = mixture._figures[1] / REWARD / mixture.counts[:-1]

    assert means[1] - means[0] > 0.2
    assert abs(mixture.levels[1] - mixture.levels[0]) < 0.1


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


def test_memory_finds_forgets_and_comes_back() -> None:
    """A record is found by context, agent and reward, the newest first; what is dropped is gone; arrays bring the rest back."""
    memory, texts = Memory(5), points(600)
    for number, text in enumerate(texts):
        memory.add(text, number % 3, whole(0.25), number + 1)
    memory.add(texts[4], 1, whole(0.25), 601)
    memory.join(1)

    assert memory.find(texts[4], 2, whole(0.25)) == 600
    assert memory.find(texts[4], 1, whole(0.25)) is None
    memory.keep(memory.numbers <= 600)
    assert len(memory) == 600
    assert memory.find(texts[4], 2, whole(0.25)) == 4
    assert {name: array.shape for name, array in memory.arrays().items()} == Memory.shapes(600, 5)
    assert (Memory.of(memory.arrays(), 5).points == memory.points).all()


def test_the_mixture_tells_texts_apart() -> None:
    """What is learned by regression and forest together names the good agent on either side."""
    mixture = fed(Mixture(5, HABITS), 400)
    left, right = (mixture.expect(np.array([[side, 0, 0, 0, 1]], np.float32)).means[0] for side in (-1.0, 1.0))

    assert left[mixture.row("a")] > left[mixture.row("b")] + 0.1
    assert right[mixture.row("b")] > right[mixture.row("a")] + 0.1


def test_an_alarm_forgets_what_an_agent_did_before_it_became_worse() -> None:
    """An agent that was always right and then is always wrong is found out within some tens of outcomes."""
    calm, watched = (Mixture(5, Habits(8, 10, 6000, alarm, 0.5)) for alarm in (0.0, 6.0))
    for number, point in enumerate(points(360)):
        for mixture in (calm, watched):
            mixture.add(point, "b" if number % 2 else "a", float(number < 240 or number % 2 == 0))
    row = watched.row("b")

    assert watched.counts[row] < calm.counts[row]
    assert watched.expect(points(1)).means[0, row] < calm.expect(points(1)).means[0, row] - 0.15
    assert watched.counts[watched.row("a")] == calm.counts[calm.row("a")]


def test_only_the_newest_records_are_kept() -> None:
    """Memory is bounded: when a planting is done the oldest records beyond `keep` are let go of, and counts with them."""
    mixture = fed(Mixture(5, Habits(4, 10, 100, 6.0, 0.5)), 300)

    assert mixture.counts.sum() <= 130
    assert mixture.arrays()["rows"].shape == (int(mixture.counts.sum()),)


def test_a_planting_takes_many_examples() -> None:
    """No example pays for a forest: each grows one tree of the next, and until all stand the last one serves."""
    mixture, steps, stood = Mixture(5, Habits(8, 10, 6000, 0.0, 0.5)), [], set()
    for number, point in enumerate(points(2_200)):
        mixture.add(point, "ab"[number % 2], float(number % 3 == 0))
        steps.append(int(mixture.arrays()["progress"][3]))
        stood.add(mixture.essence()["hashes"][32:].tobytes())

    assert {after - before for before, after in pairwise(steps) if after > before} == {1}
    assert len(stood) > 7


def test_an_alarm_plants_like_any_other_example() -> None:
    """What a worse agent did is out of the sums at once, out of the trees some examples later; a state comes back meanwhile."""
    policy = create("shared_forest", 5, SMALL)
    texts, restored = points(500).astype(float), 0
    for number, point in enumerate(texts):
        before = policy._mixture.counts.sum()  # type: ignore[attr-defined]  # a policy does not tell of alarms
        policy.learn(Example(point, "b" if number % 2 else "a", 0.5, float(number < 240 or number % 2 == 0)))
        mixture = policy._mixture  # type: ignore[attr-defined]
        if mixture.counts.sum() < before:
            restored += 1
            assert mixture.arrays()["progress"][3] == 0.0
            copy = SharedForest.load(policy.dump(), 5)
            for one in points(20, seed=9).astype(float):
                assert copy.decide(one, ["a", "b", "c"]) == policy.decide(one, ["a", "b", "c"])
                copy.learn(Example(one, "c", 0.5, 1.0))
                policy.learn(Example(one, "c", 0.5, 1.0))
            assert copy.dump() == policy.dump()

    assert restored == 1


def test_a_reward_that_moves_while_trees_grow_is_in_the_leaves_not_in_the_structure() -> None:
    """A correction in the middle of a planting changes what is expected at once, and a reloaded state grows the same trees."""
    policy = create("shared_forest", 5, SMALL)
    texts = points(FIRST).astype(float)
    for number, point in enumerate(texts):
        policy.learn(Example(point, "ab"[number % 2], 0.5, float(number % 3 == 0)))
    before = policy.decide(texts[0], ["a", "b"])
    policy.revise(Example(texts[0], "a", 0.5, 0.0), 1.0)
    copy = SharedForest.load(policy.dump(), 5)

    assert policy.decide(texts[0], ["a", "b"]) != before
    for point in points(3, seed=9).astype(float):
        for one in (policy, copy):
            one.learn(Example(point, "a", 0.5, 1.0))
    assert copy.dump() == policy.dump()
    assert digest(copy) == digest(policy)


@pytest.mark.parametrize("count", [30, FIRST, FIRST + 1, 200, 400])
def test_a_state_goes_on_as_it_was(count: int) -> None:
    """Before and after plantings, alarms, newcomers and corrections, a reloaded state has the same digest and goes on alike."""
    policy = create("shared_forest", 5, {**SMALL, "keep": 150.0})
    bits = np.random.default_rng(4)
    for number, point in enumerate(points(count).astype(float)):
        agent = "cab"[number % 3] if number < count // 2 else "bdca"[number % 4]
        policy.learn(Example(point, agent, 0.5, float(bits.random() < 0.6)))
    policy.revise(Example(point, agent, 0.5, 0.5), 1.0)
    copy = SharedForest.load(policy.dump(), 5)

    assert digest(copy) == digest(policy)
    for point in points(60, seed=9).astype(float):
        policy.learn(Example(point, "e", 0.5, 1.0))
        copy.learn(Example(point, "e", 0.5, 1.0))
        assert copy.decide(point, ["a", "d", "e"]) == policy.decide(point, ["a", "d", "e"])
    assert copy.dump() == policy.dump()
    assert digest(copy) == digest(policy)


def test_the_digest_tells_every_example_from_any_other() -> None:
    """States that took in other contexts, agents or rewards, or in another order, have other digests."""
    told = [Example(point, "a", 0.5, 1.0) for point in points(2).astype(float)]
    seen = set()
    for examples in (
        [],
        told[:1],
        told,
        told[::-1],
        [Example(told[0].context, "b", 0.5, 1.0)],
        [Example(told[0].context, "a", 1, 0)],
    ):
        policy = create("shared_forest", 5)
        for example in examples:
            policy.learn(example)
        seen.add(digest(policy))

    assert len(seen) == 6


def test_what_the_digest_is_made_of_stays_small() -> None:
    """The digest is needed at every choice, so what it is made of does not grow with the records."""
    policy = create("shared_forest", 5, SMALL)
    sizes = []
    for point in points(200).astype(float):
        policy.learn(Example(point, "a", 0.5, 1.0))
        sizes.append(len(policy.essence()))

    assert max(sizes) - min(sizes) < 20
    assert len(policy.dump()) > 200 * 5 * 8


@pytest.mark.parametrize("settings", [{"trees": 0.0}, {"blend": 1.5}, {"alarm": -1.0}, {"floor": math.nan}, {"keep": 1e9}])
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, float | str]) -> None:
    """No trees, a share above one, more records than sums stay exact for: each is refused by name."""
    with pytest.raises(InvalidPolicySetting, match="shared_forest"):
        create("shared_forest", 5, settings)


def test_a_state_whose_records_belong_to_nobody_is_refused() -> None:
    """A record's agent must be one of the header's."""
    policy = create("shared_forest", 5, SMALL)
    policy.learn(Example(points(1)[0].astype(float), "a", 0.5, 1.0))
    mixture = policy._mixture  # type: ignore[attr-defined]  # reaches in to break it
    mixture._memory._rows[0] = 7

    with pytest.raises(UnreadableState, match="belongs to no agent"):
        SharedForest.load(policy.dump(), 5)


def test_hundreds_of_agents_are_no_hindrance() -> None:
    """With 512 agents, most of them met once, every candidate keeps its floor and the sums stay exact."""
    policy, names = create("shared_forest", 5, SMALL), [f"agent-{number:03}" for number in range(512)]
    for number, point in enumerate(points(700).astype(float)):
        policy.learn(Example(point, names[number % 512], 0.5, float(number % 3 == 0)))
    decision = policy.decide(points(1)[0].astype(float), names)

    assert math.fsum(decision.probabilities) == pytest.approx(1.0, abs=1e-9)
    assert min(decision.probabilities) >= decision.exploration["floor"] > 0.0
