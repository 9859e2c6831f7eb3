"""What a search came to, on choices that no trial saw: the best of either arm and the default, paired. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from learning.errors import LearningError
from learning.evaluation import Logged, effective_size, interval_of_terms, missing_support, robust_terms, weights
from learning.statistics import Interval
from smolit.search.score import OnLog

DEFAULT, BEST, RANDOM = "default", "best", "random"


class Judgement(Struct, frozen=True):
    """Figures by name, with their 95 % bounds, and what they say in words."""

    figures: dict[str, float]
    verdict: str


def judge_on_log(scorer: OnLog, best: Mapping[str, Any], random: Mapping[str, Any] | None) -> Judgement:
    """Compare settings on the choices of a scorer: {} is the default."""
    asked = {DEFAULT: {}, BEST: best, **({RANDOM: random} if random is not None else {})}
    found = {name: _judged(scorer, setting) for name, setting in asked.items()}
    terms = {name: one for name, one in found.items() if not isinstance(one, str)}
    figures = {name: interval_of_terms(robust_terms(one), weights(one)) for name, one in terms.items()}
    differences = {other: _paired(terms[BEST], terms[other]) for other in (DEFAULT, RANDOM) if BEST in terms and other in terms}
    refused = {name: one for name, one in found.items() if isinstance(one, str)}
    return told(figures, differences, refused, len(next(iter(terms.values()), ())), "choices")


def told(
    figures: Mapping[str, Interval],
    differences: Mapping[str, Interval],
    refused: Mapping[str, str],
    count: int,
    what: str,
    counted: str | None = None,
) -> Judgement:
    """Put figures and words together; `differences` are those of the best guided setting to the other two.

    `what` was counted, in words, and `counted` the same as the name of a figure.
    """
    numbers = {key: number for name, one in figures.items() for key, number in _bounds(name, one)}
    numbers |= {key: number for name, one in differences.items() for key, number in _bounds(f"over_{name}", one)}
    words = [_compared(name, one) for name, one in differences.items()]
    words += [f"there is no figure of the {_WORDS[name]} setting: {why}" for name, why in refused.items()]
    said = "; ".join(words) or "nothing to compare"
    return Judgement({**numbers, counted or what: float(count)}, f"On {count} {what} that no trial saw: {said}.")


_WORDS = {DEFAULT: "default", BEST: "best", RANDOM: "best random"}


def _compared(name: str, one: Interval) -> str:
    earns = f"{one.value:+.4f} ({one.low:+.4f} to {one.high:+.4f}) against the {_WORDS[name]} setting"
    if one.low == one.high == 0.0:
        return f"the best setting is the {_WORDS[name]} one, or does as it does"
    if one.low > 0.0:
        return f"the best setting earns {earns}, which it beats"
    lost = "to which it loses" if one.high < 0.0 else "which is no difference that can be told"
    return f"the best setting earns {earns}, {lost}"


def _bounds(name: str, one: Interval) -> list[tuple[str, float]]:
    return [(name, one.value), (f"{name}_low", one.low), (f"{name}_high", one.high)]


def _judged(scorer: OnLog, setting: Mapping[str, Any]) -> list[Logged] | str:
    """Return what a setting would have done, or why the log cannot tell what that is worth."""
    try:
        judged = list(scorer.judged(setting))
    except LearningError as error:
        return str(error)
    return missing_support(judged) or judged


def _paired(one: Sequence[Logged], other: Sequence[Logged]) -> Interval:
    """Return by how much the first earns more, choice by choice; it is as sure as the less certain of the two."""
    weighted = min((weights(each) for each in (one, other)), key=effective_size)
    return interval_of_terms(robust_terms(one) - robust_terms(other), weighted)
