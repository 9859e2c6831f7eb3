"""What an attempt was worth: the number between 0 and 1 that policies learn from, by a rule that has a version.

Which rule, and how much cost and latency weigh in it, is fixed in a task's context when it is admitted. So a reward can be made
again from the log alone: terms from the choice, cost and duration from the attempt's end, quality from the feedback.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from events.task import AttemptOutcome, RewardTerms
from learning.errors import UnknownRewardRule
from learning.feedback import Judgement, value_of, worth

MICRO = 1_000_000
BALANCE = "balance/1"


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known of an attempt that is over; None: it was not measured, or there is no such answer."""

    outcome: AttemptOutcome
    cost_microusd: int | None = None
    duration_us: int | None = None
    answer: str | None = None


Rule = Callable[[RewardTerms, Tried, Iterable[Judgement]], float | None]


def reward(terms: RewardTerms, tried: Tried, judgements: Iterable[Judgement]) -> float | None:
    """Return the attempt's reward in [0, 1] by the rule that the terms name, or None where there is nothing to learn (yet).

    Raises UnknownRewardRule, UnknownFeedbackKind or FeedbackOutOfRange.
    """
    known = RULES.get(terms.rule)
    if known is None:
        raise UnknownRewardRule(f"no reward rule {terms.rule!r}; known: {', '.join(sorted(RULES))}")
    return known(terms, tried, judgements)


def micro(value: float) -> int:
    """Return a reward in whole micro-units: the form in which projections add rewards up."""
    return round(value * MICRO)


def balance_1(terms: RewardTerms, tried: Tried, judgements: Iterable[Judgement]) -> float | None:
    """Return the weighted mean of quality, cost and latency; a failed attempt is worth 0 however cheap and fast it was.

    Quality is the mean over raters of the last word of each that is worth something. Without any there is no reward: nobody
    has said that it was bad. An amount that was not measured takes no part, and the others share its weight: unknown is
    neither free nor dear. With both weights 0 and numbers alone this is `quality/1`, to the bit.
    """
    worths = _worths(judgements, tried.answer)
    if tried.outcome != "completed":
        return None if tried.outcome == "abandoned" else 0.0
    if not worths:
        return None
    parts = [
        (1.0 - (terms.cost_weight + terms.latency_weight), math.fsum(worths) / len(worths)),
        (terms.cost_weight, utility(tried.cost_microusd, terms.cost_half_microusd)),
        (terms.latency_weight, utility(tried.duration_us, terms.latency_half_us)),
    ]
    known = [(weight, part) for weight, part in parts if part is not None]
    total = math.fsum(weight for weight, _ in known)
    return min(1.0, math.fsum(weight * part for weight, part in known) / total) if total > 0.0 else None


def utility(amount: int | None, half: int) -> float | None:
    """Return what spending an amount leaves of 1: all of it for nothing, one half for `half`, ever less and never none."""
    return None if amount is None else half / (half + amount)


def quality_1(_terms: RewardTerms, tried: Tried, judgements: Iterable[Judgement]) -> float | None:
    """Return the mean over raters of what each said last; a failed attempt is worth 0 whatever is said of it.

    An abandoned attempt (its worker died) teaches nothing, nor does a completed one that nobody gave a value.
    The order of the judgements plays no part, but that of two with the same rater and revision the first counts.
    """
    last = _newest(judgements)
    values = [value for judgement in last if (value := value_of(judgement)) is not None]
    match tried.outcome:
        case "failed" | "timed_out":
            return 0.0
        case "completed":
            return math.fsum(values) / len(values) if values else None
        case "abandoned":
            return None


def _worths(judgements: Iterable[Judgement], answer: str | None) -> list[float]:
    """Return what each rater's last word that is worth something is worth; of two with one number the first counts."""
    last: dict[str, tuple[int, float]] = {}
    for judgement in judgements:
        found, held = worth(judgement, answer), last.get(judgement.rater)
        if found is not None and (held is None or judgement.revision > held[0]):
            last[judgement.rater] = judgement.revision, found
    return [found for _, found in last.values()]


def _newest(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return the highest revision of each rater; of two with one number the first."""
    last: dict[str, Judgement] = {}
    for judgement in judgements:
        held = last.get(judgement.rater)
        if held is None or judgement.revision > held.revision:
            last[judgement.rater] = judgement
    return list(last.values())


RULES: Mapping[str, Rule] = MappingProxyType({"quality/1": quality_1, BALANCE: balance_1})
BEFORE = RewardTerms("quality/1", 0.0, 0.0, 1, 1)
"""The terms of choices that were made before choices had any."""
