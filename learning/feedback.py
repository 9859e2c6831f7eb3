"""What one piece of feedback is worth: a number between 0 and 1, or None where it says nothing about quality.

| kind | worth |
|---|---|
| boolean | its value, 0 or 1 |
| score | its value |
| comparison | its value: 1 if the answer is better than the other one, 0.5 if it is as good, 0 if it is worse |
| correction | its value if it has one, else how alike answer and correction are (`learning/likeness.py`) |
| comment | its value if it has one, else its recorded sentiment from [-1, 1] to [0, 1]; a neutral one says nothing |
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from learning.errors import FeedbackIncomplete, FeedbackOutOfRange, UnknownFeedbackKind
from learning.likeness import likeness
from learning.sentiment import NEUTRAL

VALUE_NEEDED: Mapping[str, bool] = MappingProxyType(
    {"boolean": True, "score": True, "comparison": True, "comment": False, "correction": False}
)
_STEPS: Mapping[str, Sequence[float]] = MappingProxyType({"boolean": (0.0, 1.0), "comparison": (0.0, 0.5, 1.0)})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rater said of one attempt, in one revision (0 is the first); `sentiment` is what was read out of a comment."""

    rater: str
    revision: int
    kind: str
    value: float | None
    sentiment: float | None = None
    correction: str | None = None


def value_of(judgement: Judgement) -> float | None:
    """Return the number that a rater gave; words may come without one.

    Raises UnknownFeedbackKind or FeedbackOutOfRange.
    """
    kind, value = judgement.kind, judgement.value
    if kind not in VALUE_NEEDED:
        raise UnknownFeedbackKind(f"feedback of kind {kind!r} has no worth under this rule")
    if value is None and not VALUE_NEEDED[kind]:
        return None
    if value is None or not 0.0 <= value <= 1.0:
        raise FeedbackOutOfRange(f"{kind} feedback of {judgement.rater!r} has value {value!r}; it must lie in 0 to 1")
    if kind in _STEPS and value not in _STEPS[kind]:
        allowed = " or ".join(f"{step:g}" for step in _STEPS[kind])
        raise FeedbackOutOfRange(f"{kind} feedback of {judgement.rater!r} has value {value!r}, not {allowed}")
    return float(value)


def worth(judgement: Judgement, answer: str | None) -> float | None:
    """Return what the judgement of an answer is worth, by the table above; raises as `value_of` does."""
    value = value_of(judgement)
    if value is not None:
        return value
    if judgement.kind == "correction":
        return None if answer is None or judgement.correction is None else likeness(answer, judgement.correction)
    return of_sentiment(judgement.sentiment)


def of_sentiment(compound: float | None) -> float | None:
    """Return a sentiment as a worth; who says nothing good or bad has not said that it is mediocre."""
    return None if compound is None or abs(compound) < NEUTRAL else (1.0 + compound) / 2.0


def numbers_first(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return of each rater the judgements that can count: those with a number if there is one, else the words.

    So that words take no number back, whatever comes first, and a model's reading gives way to what its rater meant.
    """
    by_rater: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_rater[judgement.rater].append(judgement)
    return [one for said in by_rater.values() for one in ([each for each in said if each.value is not None] or said)]


def check(judgement: Judgement, comment: str | None) -> None:
    """Raise what is wrong with feedback before anybody takes it in, whatever it is about; the error names the field.

    Raises FeedbackIncomplete, UnknownFeedbackKind or FeedbackOutOfRange.
    """
    value = value_of(judgement)
    if judgement.kind == "correction" and value is None and not judgement.correction:
        raise FeedbackIncomplete("correction", "a correction without a value needs the text that the answer should have been")
    if judgement.kind == "comment" and value is None and not comment:
        raise FeedbackIncomplete("comment", "a comment without a value needs words")
