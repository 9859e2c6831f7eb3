"""The memory of outcomes: what it says of like texts, how it stays bounded, and that no sum goes astray."""

import numpy as np
import pytest

from learning.recall import EARNED, LIKENESS, NUMBER, REWARD, Outcome, Recall

WIDTH, KEEP, LEAST = 9, 24, 0.2


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return how like two contexts are, by the formula."""
    left, right = one[:-1], other[:-1]
    cosine = float(left @ right / np.sqrt((left @ left) * (right @ right)))
    return (max(cosine - LEAST, 0.0) / (1.0 - LEAST)) ** 4


def outcomes(count: int, seed: int = 3) -> list[tuple[int, Outcome]]:
    """Return outcomes of three agents on texts of which some are alike; the first agent has most."""
    bits = np.random.default_rng(seed)
    middles = bits.standard_normal((4, WIDTH))
    found = []
    for number in range(1, count + 1):
        context = middles[bits.integers(4)] + 0.4 * bits.standard_normal(WIDTH)
        row = int(bits.choice(3, p=[0.7, 0.2, 0.1]))
        found.append((row, Outcome(context, float(bits.integers(2)), number, 0.25)))
    return found


def filled(count: int) -> Recall:
    """Return a memory that has taken in so many outcomes."""
    recall = Recall(WIDTH, KEEP, LEAST)
    for row, outcome in outcomes(count):
        recall.add(row, outcome, 0.0)
    return recall


def check(recall: Recall) -> None:
    """Compare every outcome's sums with those worked out from all others of its agent."""
    for at in range(len(recall)):
        others = [slot for slot in recall.of(int(recall.rows[at])).tolist() if slot != at]
        likes = [likeness(recall.contexts[at], recall.contexts[slot]) for slot in others]
        rewards = recall.figures[REWARD, others].tolist()
        earned = sum(like * reward for like, reward in zip(likes, rewards, strict=True))
        assert recall.figures[EARNED, at] == pytest.approx(earned, abs=0.02)
        assert recall.figures[LIKENESS, at] == pytest.approx(sum(likes), abs=0.02)


@pytest.mark.parametrize("count", [1, 10, KEEP, 3 * KEEP])
def test_every_outcome_knows_its_likes(count: int) -> None:
    """Before and after the memory is full, the sums are those over the agent's other outcomes that are still kept."""
    check(filled(count))


def test_a_full_memory_forgets_the_oldest_of_whoever_has_most() -> None:
    """It never holds more than it may, and an agent that is rarely tried keeps all it ever did."""
    recall, rare = filled(4 * KEEP), [outcome.number for row, outcome in outcomes(4 * KEEP) if row == 2]

    assert len(recall) == KEEP
    kept = sorted(recall.figures[NUMBER, recall.of(2)].tolist())
    assert kept == [float(number) for number in rare[-len(kept) :]]
    assert len(kept) >= KEEP // 3 - 1
    newest = [outcome.number for row, outcome in outcomes(4 * KEEP) if row == 0][-len(recall.of(0)) :]
    assert sorted(recall.figures[NUMBER, recall.of(0)].tolist()) == [float(number) for number in newest]


def test_what_is_near_is_what_like_texts_earned() -> None:
    """For a text, each agent has the sum of its rewards by likeness, and of likenesses; the last, never met, nothing."""
    recall, context = filled(20), outcomes(21)[-1][1].context
    earned, weight = recall.near(context, 3)

    for row in range(3):
        likes = [likeness(context, recall.contexts[slot]) for slot in recall.of(row)]
        assert weight[row] == pytest.approx(sum(likes), abs=0.02)
        told = sum(like * recall.figures[REWARD, slot] for like, slot in zip(likes, recall.of(row), strict=True))
        assert earned[row] == pytest.approx(told, abs=0.02)
    assert (earned[3], weight[3]) == (0.0, 0.0)


def test_the_same_text_is_as_like_as_can_be_and_the_bias_plays_no_part() -> None:
    """A text is like itself whatever its length, and like one that differs in the bias alone."""
    recall, context = Recall(WIDTH, KEEP, LEAST), outcomes(1)[0][1].context
    recall.add(0, Outcome(context, 1.0, 1, 0.0), 0.0)
    other = 3.0 * context
    other[-1] = 77.0

    assert recall.near(other, 1)[1, 0] == pytest.approx(1.0, abs=0.01)


def test_a_corrected_reward_reaches_its_likes() -> None:
    """The outcome and what others know of it change; one that was forgotten, or never was, changes nothing."""
    recall, (row, outcome) = filled(20), outcomes(20)[7]
    recall.move(outcome.context, row, outcome.reward, 0.5)
    check(recall)
    before = recall.figures.copy()
    recall.move(outcome.context, row, 0.75, 0.5)
    recall.move(np.ones(WIDTH), row, 0.5, 0.25)

    assert 0.5 in before[REWARD]
    assert (recall.figures == before).all()


def test_taking_an_agents_outcomes_leaves_those_of_others() -> None:
    """They come in their order, the newer ones alone, and nothing of the agent stays."""
    recall = filled(20)
    mine = [outcome for row, outcome in outcomes(20) if row == 0 and outcome.number > 10]
    taken = recall.take(0, 10.0)

    assert [one.number for one in taken] == [one.number for one in mine]
    assert all((one.context == other.context).all() for one, other in zip(taken, mine, strict=True))
    assert set(recall.rows.tolist()) == {1, 2}
    check(recall)


def test_a_reloaded_memory_goes_on_alike() -> None:
    """Every figure comes back, also after more outcomes than it holds."""
    recall = filled(2 * KEEP)
    copy = Recall.load(recall.arrays(), WIDTH, KEEP, LEAST)
    for row, outcome in outcomes(30, seed=8):
        recall.add(row, outcome, 0.125)
        copy.add(row, outcome, 0.125)

    for name, array in recall.arrays().items():
        assert (array == copy.arrays()[name]).all(), name
