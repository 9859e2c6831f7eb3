"""What an attempt was worth, by rule `quality/1`."""

import math
from itertools import permutations
from typing import get_args

import pytest

from events.task import AttemptOutcome, FeedbackKind
from learning.errors import FeedbackOutOfRange, UnknownFeedbackKind, UnknownRewardRule
from learning.reward import VALUE_NEEDED, Judgement, micro, reward


def said(value: float | None, rater: str = "ann", revision: int = 0, kind: str = "score") -> Judgement:
    """Return one judgement."""
    return Judgement(rater, revision, kind, value)


def worth(*judgements: Judgement, outcome: AttemptOutcome = "completed") -> float | None:
    """Return the reward by the rule under test."""
    return reward("quality/1", outcome, judgements)


def test_the_reward_is_the_mean_over_raters() -> None:
    """Every rater counts once, whatever kind of value they gave."""
    assert worth(said(1.0, "ann", kind="boolean"), said(0.25, "bob")) == 0.625


def test_a_raters_last_revision_counts() -> None:
    """The highest revision number counts, in whatever order revisions arrive."""
    revisions = [said(0.0), said(0.5, revision=1), said(1.0, revision=2), said(0.2, "bob")]

    assert {worth(*order) for order in permutations(revisions)} == {0.6}


def test_a_repeated_revision_is_heard_once() -> None:
    """Of two judgements with the same rater and revision the first counts."""
    assert worth(said(1.0), said(0.0)) == 1.0


def test_the_order_of_raters_changes_no_bit() -> None:
    """Sums are rounded once: any order of the same judgements gives the same float."""
    judgements = [said(value, f"rater-{value}") for value in (0.1, 0.2, 0.3, 0.7, 0.9)]

    assert len({worth(*order) for order in permutations(judgements)}) == 1


def test_a_comment_alone_is_no_reward() -> None:
    """Words without a value leave nothing to learn, and take no share in the mean of others."""
    assert worth(said(None, kind="comment")) is None
    assert worth(said(None, kind="comment"), said(0.5, "bob")) == 0.5
    assert worth() is None


def test_a_value_taken_back_counts_no_more() -> None:
    """A rater whose last revision has no value has withdrawn it."""
    assert worth(said(1.0), said(None, revision=1, kind="comment")) is None


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_a_failed_attempt_is_worth_nothing(outcome: AttemptOutcome) -> None:
    """Failing and running out of time teach: reward 0, also where somebody was kind about it."""
    assert worth(outcome=outcome) == 0.0
    assert worth(said(1.0), outcome=outcome) == 0.0


def test_an_abandoned_attempt_teaches_nothing() -> None:
    """When a worker dies, nobody learns anything about the agent."""
    assert worth(said(1.0), outcome="abandoned") is None


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf, None])
def test_a_value_out_of_range_is_refused(value: float | None) -> None:
    """A value outside 0 to 1, not finite, or missing, is refused by name, also on a failed attempt."""
    with pytest.raises(FeedbackOutOfRange):
        worth(said(value))
    with pytest.raises(FeedbackOutOfRange):
        worth(said(value), outcome="failed")


def test_a_boolean_is_yes_or_no() -> None:
    """Boolean feedback has no half values."""
    with pytest.raises(FeedbackOutOfRange, match="boolean"):
        worth(said(0.5, kind="boolean"))


def test_an_unknown_rule_is_refused() -> None:
    """A rule nobody wrote is refused with the names of those there are."""
    with pytest.raises(UnknownRewardRule, match="quality/1"):
        reward("quality/0", "completed", [])


def test_an_unknown_kind_is_refused() -> None:
    """Feedback of a kind the rule was not written for is never guessed at."""
    with pytest.raises(UnknownFeedbackKind, match="applause"):
        worth(said(1.0, kind="applause"))


def test_every_kind_of_event_feedback_has_a_worth() -> None:
    """The rule knows every kind of feedback that facts can hold, and every outcome."""
    assert set(VALUE_NEEDED) == set(get_args(FeedbackKind))
    assert all(worth(said(0.5), outcome=outcome) in (0.5, 0.0, None) for outcome in get_args(AttemptOutcome))


@pytest.mark.parametrize(("value", "units"), [(0.0, 0), (1.0, 1_000_000), (1 / 3, 333_333), (0.0000005, 0)])
def test_rewards_in_micro_units(value: float, units: int) -> None:
    """Micro-units are rounded half to even."""
    assert micro(value) == units
