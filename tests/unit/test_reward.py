"""What an attempt was worth, by each rule."""

import math
from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.task import AttemptOutcome, FeedbackKind, RewardTerms
from learning.errors import FeedbackOutOfRange, UnknownFeedbackKind, UnknownRewardRule
from learning.feedback import VALUE_NEEDED, Judgement, numbers_first
from learning.reward import BEFORE, RULES, Tried, micro, reward, utility
from tests.builders import terms


def said(value: float | None, rater: str = "ann", revision: int = 0, kind: str = "score") -> Judgement:
    """Return one judgement."""
    return Judgement(rater, revision, kind, value)


def worth(*judgements: Judgement, outcome: AttemptOutcome = "completed") -> float | None:
    """Return the reward by rule `quality/1`."""
    return reward(BEFORE, Tried(outcome), judgements)


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
        reward(terms(rule="quality/0"), Tried("completed"), [])


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


def balanced(*judgements: Judgement, by: RewardTerms, **tried: Any) -> float | None:
    """Return the reward by rule `balance/1`; the attempt took a second and cost 3,000 microdollars."""
    return reward(by, Tried(**{"outcome": "completed", "cost_microusd": 3_000, "duration_us": 1_000_000, **tried}), judgements)


@given(
    values=st.lists(st.floats(0, 1), max_size=4),
    outcome=st.sampled_from(get_args(AttemptOutcome)),
    cost=st.none() | st.integers(0, 10**15),
    duration=st.none() | st.integers(0, 10**15),
)
def test_without_a_dial_it_is_quality_alone(values: list[float], outcome: Any, cost: int | None, duration: int | None) -> None:
    """With both weights 0 the new rule gives what the old one did, to the bit, whatever was spent."""
    judgements = [said(value, f"rater-{number}") for number, value in enumerate(values)]
    tried = Tried(outcome, cost, duration)

    assert reward(terms(), tried, judgements) == reward(BEFORE, tried, judgements)


def test_the_dial_weighs_cost_and_latency() -> None:
    """By hand: quality .75; 3,000 of 1,000 microdollars are worth 1/4; one second of one is worth 1/2."""
    assert balanced(said(0.75), by=terms(costs=0.5)) == 0.5 * 0.75 + 0.5 * 0.25
    assert balanced(said(0.75), by=terms(latency=0.5)) == 0.5 * 0.75 + 0.5 * 0.5
    assert balanced(said(0.75), by=terms(costs=0.25, latency=0.25)) == 0.5 * 0.75 + 0.25 * 0.25 + 0.25 * 0.5
    assert balanced(said(0.75), by=terms(costs=1.0)) == 0.25


def test_what_was_not_measured_takes_no_part() -> None:
    """An unknown cost is neither free nor dear: the others share its weight, and where there are none nothing is learned."""
    assert balanced(said(0.75), by=terms(costs=0.5), cost_microusd=None) == 0.75
    assert balanced(said(1.0), by=terms(costs=0.5, latency=0.25), cost_microusd=None) == 0.75
    assert balanced(said(0.75), by=terms(costs=1.0), cost_microusd=None) is None


def test_nobody_said_anything_is_not_bad() -> None:
    """A completed attempt without feedback has no reward, however dear it was, and words that say nothing change nothing."""
    assert balanced(by=terms(costs=0.9)) is None
    assert balanced(said(None, kind="comment"), by=terms(costs=0.9)) is None


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_failing_cheaply_earns_nothing(outcome: AttemptOutcome) -> None:
    """A dial that would pay for failing fast would teach to fail."""
    assert balanced(by=terms(costs=0.5, latency=0.5), outcome=outcome, cost_microusd=0, duration_us=0) == 0.0
    assert balanced(said(1.0), by=terms(costs=0.5), outcome="abandoned") is None


@given(
    weights=st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda both: sum(both) <= 1.0),
    quality=st.floats(0, 1),
    cost=st.integers(0, 10**15),
    duration=st.integers(0, 10**15),
)
def test_a_reward_lies_between_0_and_1(weights: tuple[float, float], quality: float, cost: int, duration: int) -> None:
    """Whatever is weighed, and an attempt that is dearer and slower earns no more."""
    by = terms(*weights)
    found, more = (balanced(said(quality), by=by, cost_microusd=cost * k, duration_us=duration * k) for k in (1, 2))

    assert found is not None
    assert more is not None
    assert 0.0 <= more <= found + 1e-12
    assert found <= 1.0


@pytest.mark.parametrize(("amount", "worth_of_it"), [(0, 1.0), (1_000, 0.5), (3_000, 0.25), (999_000, 0.001), (None, None)])
def test_less_spent_is_worth_more(amount: int | None, worth_of_it: float | None) -> None:
    """The scale is the amount that is worth one half."""
    assert utility(amount, 1_000) == worth_of_it


QUALITY_OF = [
    (said(1.0, kind="boolean"), 1.0),
    (said(0.25), 0.25),
    (said(1.0, kind="comparison"), 1.0),
    (said(0.5, kind="comparison"), 0.5),
    (said(0.0, kind="comparison"), 0.0),
    (Judgement("ann", 0, "correction", None, correction="the cat sat down"), 0.5),  # of 4 words 1 replaced and 1 put in
    (Judgement("ann", 0, "correction", 0.75, correction="no"), 0.75),
    (Judgement("ann", 0, "comment", None, sentiment=0.5), 0.75),
    (Judgement("ann", 0, "comment", None, sentiment=-1.0), 0.0),
    (Judgement("ann", 0, "comment", 0.125, sentiment=-1.0), 0.125),
    (Judgement("ann", 0, "comment", None, sentiment=0.04), None),
]


@pytest.mark.parametrize(("judgement", "quality"), QUALITY_OF)
def test_every_kind_of_feedback_is_worth_something(judgement: Judgement, quality: float | None) -> None:
    """A number that was given counts; else a correction by its likeness to the answer, a comment by its sentiment."""
    assert balanced(judgement, by=terms(), answer="a cat sat") == quality


def test_a_correction_of_what_is_not_there_says_nothing() -> None:
    """Where the answer is no text, or too long to be kept, nobody knows how much of it was right."""
    assert balanced(Judgement("ann", 0, "correction", None, correction="42"), by=terms(), answer=None) is None


def test_words_do_not_take_a_number_back() -> None:
    """A rater's number goes before what is read out of their words, whichever came last; other raters' words count."""
    words = [Judgement("ann", 2, "comment", None, sentiment=-1.0), Judgement("bob", 0, "comment", None, sentiment=0.5)]
    judgements = [said(1.0), *words]

    assert {balanced(*numbers_first(order), by=terms()) for order in permutations(judgements)} == {(1.0 + 0.75) / 2}


def test_the_last_words_that_say_something_count() -> None:
    """A later correction takes the place of an earlier comment; later words that say nothing take no place."""
    comment = Judgement("ann", 0, "comment", None, sentiment=-1.0)
    correction = Judgement("ann", 1, "correction", None, correction="84")
    silent = Judgement("ann", 2, "comment", None)

    assert balanced(comment, correction, silent, by=terms(), answer="84") == 1.0
    assert balanced(comment, silent, by=terms(), answer="84") == 0.0


def test_rules_are_listed_by_name_and_version() -> None:
    """A rule that examples were made by stays there."""
    assert set(RULES) == {"quality/1", "balance/1"}
