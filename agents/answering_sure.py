"""Whether the sentence that fits a question best is its answer, or the question is not answered at all. Pure.

A logistic regression over five features of the best sentence. `bench/knowledge/sure.py` fits it, on other documents than those
that it is tested on, and a test fits it anew. An answer is given where that is worth more than silence if a wrong one costs as
much as two right ones: from a chance of two in three on, which holds as far as the chance is calibrated.
"""

from math import exp

from msgspec import Struct

from agents.answering import Candidate
from agents.answering_kind import holds_kind

SURE = 0.667


class Evidence(Struct, frozen=True):
    """What speaks for a sentence as the answer; each in [0, 1] but the cosines."""

    near: float  # how alike the question and the sentence are
    near_there: float  # the same, where the sentence is read with its heading and title
    worst: float  # how near the nearest word there is to the word of the question that has the least
    codes: float  # codes, numbers and names of the question that are there
    kind: float  # whether it holds what is asked for: money, a person, a length ...; a half where that cannot be told


class Sureness(Struct, frozen=True):
    """Coefficients of the evidence, in its order, and the intercept."""

    of: tuple[float, ...]
    bias: float

    def chance(self, evidence: Evidence) -> float:
        """Return the chance that the sentence is the answer."""
        values = (getattr(evidence, name) for name in Evidence.__struct_fields__)
        return 1.0 / (1.0 + exp(-self.bias - sum(weight * value for weight, value in zip(self.of, values, strict=True))))


FITTED = Sureness((4.339, 4.274, 1.968, 3.435, 1.207), -10.108)


def evidence_of(question: str, best: Candidate) -> Evidence:
    """Return what speaks for a sentence."""
    seen = best.features
    return Evidence(seen.near, seen.near_there, seen.worst, seen.codes, holds_kind(question, best.text))


def sureness(question: str, best: Candidate) -> float:
    """Return the chance that a sentence answers a question."""
    return FITTED.chance(evidence_of(question, best))
