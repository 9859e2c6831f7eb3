"""Whether the sentence that fits a question best is its answer, or the question is not answered at all. Pure.

A logistic regression over what speaks for the best sentence. `bench/knowledge/sure*.py` fit it, on other documents than those
that it is tested on, and a test fits it anew. An answer is given where that is worth more than silence if a wrong one costs
somewhat more than two right ones: from a chance of seven in ten on, which holds as far as the chance is calibrated.
"""

from math import exp

from msgspec import Struct

from agents.answering import Candidate, Eyes, about_of, before
from agents.answering_kind import counted_in, holds_kind, thing_counted

SURE = 0.7


class Evidence(Struct, frozen=True):
    """What speaks for a sentence as the answer, and what against it; each in [0, 1] but the cosines."""

    near: float  # how alike the question and the sentence are, by itself or read behind the one before it
    near_there: float  # the same, at best also read with its heading and title
    own: float  # of the question's words, weighted by rarity: how much the sentence has
    around: float  # the same with the sentences beside it, its heading and title
    soft: float  # like `around`, where each word counts by how near the nearest word there is
    worst: float  # how near the nearest word there is to the word of the question that has the least
    rarest: float  # whether the rarest words of the question are there, around
    codes: float  # codes, numbers and names of the question that are there
    holds: float  # 1 where it holds what is asked for: money, a person, a length ...
    lacks: float  # 1 where it does not; 0 for both where the question does not tell
    counts: float  # 1 where a number of things is asked for
    counted: float  # and then how near what is counted there is to those things


class Sureness(Struct, frozen=True):
    """Coefficients of the evidence, in its order, and the intercept."""

    of: tuple[float, ...]
    bias: float

    def chance(self, evidence: Evidence) -> float:
        """Return the chance that the sentence is the answer."""
        values = (getattr(evidence, name) for name in Evidence.__struct_fields__)
        return 1.0 / (1.0 + exp(-self.bias - sum(weight * value for weight, value in zip(self.of, values, strict=True))))


FITTED = Sureness((5.514, 4.516, -0.368, -1.404, 2.269, 3.059, -0.65, 4.652, 0.11, -3.045, -1.957, 1.104), -11.814)


def evidence_of(question: str, best: Candidate, eyes: Eyes) -> Evidence:
    """Return what speaks for a sentence."""
    seen, kind, thing = best.features, holds_kind(question, best.text), thing_counted(question)
    behind = f"{before(best)} {best.text}"
    vector = eyes.text(question)
    near = max(seen.near, float(vector @ eyes.text(behind)))
    return Evidence(
        near=near,
        near_there=max(near, seen.near_there, float(vector @ eyes.text(f"{about_of(best.passage)}: {behind}"))),
        own=seen.own,
        around=seen.around,
        soft=seen.soft,
        worst=seen.worst,
        rarest=seen.rarest,
        codes=seen.codes,
        holds=float(kind == 1.0),
        lacks=float(kind == 0.0),
        counts=float(thing is not None),
        counted=_alike(thing, counted_in(best.text), eyes),
    )


def _alike(thing: str | None, words: set[str], eyes: Eyes) -> float:
    """Return how near the nearest of some words is to a thing."""
    if thing is None:
        return 0.0
    vector = eyes.word(thing)
    return max([0.0, *(float(vector @ eyes.word(word)) for word in sorted(words))])


def sureness(question: str, best: Candidate, eyes: Eyes) -> float:
    """Return the chance that a sentence answers a question."""
    return FITTED.chance(evidence_of(question, best, eyes))
