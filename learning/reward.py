"""What an attempt was worth: the number between 0 and 1 that policies learn from, by a rule that has a version."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from events.task import AttemptOutcome
from learning.errors import FeedbackOutOfRange, UnknownFeedbackKind, UnknownRewardRule

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rater said of one attempt, in one revision (0 is the first)."""

    rater: str
    revision: int
    kind: str
    value: float | None


Rule = Callable[[AttemptOutcome, Iterable[Judgement]], float | None]


def reward(rule: str, outcome: AttemptOutcome, judgements: Iterable[Judgement]) -> float | None:
    """Return the attempt's reward in [0, 1] by the named rule, or None where there is nothing to learn (yet).

    Raises UnknownRewardRule, UnknownFeedbackKind or FeedbackOutOfRange.
    """
    known = RULES.get(rule)
    if known is None:
        raise UnknownRewardRule(f"no reward rule {rule!r}; known: {', '.join(sorted(RULES))}")
    return known(outcome, judgements)


def micro(value: float) -> int:
    """Return a reward in whole micro-units: the form in which projections add rewards up."""
    return round(value * MICRO)


def quality_1(outcome: AttemptOutcome, judgements: Iterable[Judgement]) -> float | None:
    """Return the mean over raters of what each said last; a failed attempt is worth 0 whatever is said of it.

    An abandoned attempt (its worker died) teaches nothing, nor does a completed one that nobody gave a value.
    The order of the judgements plays no part, but that of two with the same rater and revision the first counts.
    """
    last = _last_per_rater(judgements)
    values = [value for judgement in last if (value := _value(judgement)) is not None]
    match outcome:
        case "failed" | "timed_out":
            return 0.0
        case "completed":
            return math.fsum(values) / len(values) if values else None
        case "abandoned":
            return None


def _last_per_rater(judgements: Iterable[Judgement]) -> list[Judgement]:
    last: dict[str, Judgement] = {}
    for judgement in judgements:
        held = last.get(judgement.rater)
        if held is None or judgement.revision > held.revision:
            last[judgement.rater] = judgement
    return list(last.values())


def _value(judgement: Judgement) -> float | None:
    """Return what the judgement is worth; words may come without a value, and are then worth None."""
    if judgement.kind not in VALUE_NEEDED:
        raise UnknownFeedbackKind(f"feedback of kind {judgement.kind!r} has no worth under this rule")
    if judgement.value is None and not VALUE_NEEDED[judgement.kind]:
        return None
    if judgement.value is None or not 0.0 <= judgement.value <= 1.0:
        raise FeedbackOutOfRange(
            f"{judgement.kind} feedback of {judgement.rater!r} has value {judgement.value!r}; it must lie in 0 to 1"
        )
    if judgement.kind == "boolean" and judgement.value not in (0.0, 1.0):
        raise FeedbackOutOfRange(f"boolean feedback of {judgement.rater!r} has value {judgement.value!r}, not 0 or 1")
    return float(judgement.value)


VALUE_NEEDED: Mapping[str, bool] = MappingProxyType({"boolean": True, "score": True, "comment": False, "correction": False})
RULES: Mapping[str, Rule] = MappingProxyType({"quality/1": quality_1})
