"""Votes: settle several answers to one question, and find out from data when it is worth asking more than one. Pure.

Weights: Nitzan and Paroush, Optimal decision rules in uncertain dichotomous choice situations, 1982 (log odds of being right).
"""

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Rule = Literal["majority", "weighted"]


class Vote(Struct, frozen=True):
    """What one member answered, and what its word weighs."""

    answer: str
    weight: float = 1.0


class Case(Struct, frozen=True):
    """One past question: how sure the first member was, whether it was right, and whether the vote of all was."""

    confidence: float
    first: bool
    vote: bool


def settle(votes: Sequence[Vote], rule: Rule) -> str:
    """Return the answer with the most votes, or with the most weight; of those that tie, the one that was said first.

    Raises:
        ValueError: nobody voted.
    """
    if not votes:
        raise ValueError("nobody voted")
    sums: dict[str, float] = {}
    for vote in votes:
        sums[vote.answer] = sums.get(vote.answer, 0.0) + (1.0 if rule == "majority" else vote.weight)
    most = max(sums.values())
    return next(answer for answer, weight in sums.items() if weight >= most - 1e-12)


def weight_of(right: int, count: int) -> float:
    """Return what a member's word weighs that was right so often: the log odds, never below 0; one of each is added."""
    odds = (right + 1) / (count - right + 1)
    return max(0.0, math.log(odds))


def threshold_of(cases: Sequence[Case], price: float) -> float:
    """Return the confidence below which all are asked, so that right answers less `price` for each such question are most.

    `price` is in right answers: 0.02 says that one right answer more is worth asking 50 times. 0: the first one always suffices.
    """
    ordered = sorted(cases, key=lambda case: case.confidence)
    best = gain = 0.0
    found = 0.0
    for place, case in enumerate(ordered):
        gain += float(case.vote) - float(case.first) - price
        last = place + 1 == len(ordered) or ordered[place + 1].confidence > case.confidence
        if last and gain > best:
            best, found = gain, math.nextafter(case.confidence, math.inf)
    return found
