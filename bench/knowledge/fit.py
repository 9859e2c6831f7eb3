"""Fits how sentences are scored as answers: `fitted` gives the weights that `agents/answering.py` holds.

Only questions of `dev` are used, each twice: with the document that answers it, and without it, when nothing is right. A sentence
is right if it is from the right document and holds the answer. The threshold answers most questions rightly where one that is
wrong or invented costs as much as two that are not answered.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.answering import Candidate, Features, Weights
from agents.port import Passage
from agents.vectors import Labelled
from bench.knowledge.corpus import DOMAIN, TENANT, Asked
from projections.knowledge_search import Question, Wanted, search, written
from smolit.shelf import passage
from store.postgres import Connection

READ = 8  # passages that an answer is looked for in
COST = 2  # of an answer that is wrong, in answers that are right
_ROUNDS = 4_000


class Weighed(Struct, frozen=True):
    """What a fit gives: weights, and the chance from which on an answer is given."""

    weights: Weights
    sure: float


async def passages_for(connection: Connection, encoder: Labelled, question: str, k: int = READ) -> tuple[Passage, ...]:
    """Return what the store finds for a question."""
    asked = Question(question, encoder.label, written(encoder.encode(question)))
    wanted = Wanted(tenant=TENANT, k=k, domains=(DOMAIN,))
    return tuple(passage(hit) for hit in await search(connection, asked, wanted))


def is_right(one: Candidate, asked: Asked) -> bool:
    """Say whether a candidate answers a question."""
    return one.passage.title == asked.document and any(answer in one.text for answer in asked.answers)


def fitted(rows: Sequence[tuple[Asked, list[Candidate]]]) -> Weighed:
    """Return weights by logistic regression (gradient descent, a little shrunk), and a threshold."""
    names = Features.__struct_fields__
    values, labels, shares = [], [], []
    for asked, found in rows:
        for one in found:
            values.append([getattr(one.features, name) for name in names])
            labels.append(float(is_right(one, asked)))
            shares.append(10.0 if labels[-1] else 1.0 / len(found) * 10.0)
    weights = _descend(np.array(values), np.array(labels), np.array(shares))
    made = Weights(tuple(round(float(one), 3) for one in weights[:-1]), round(float(weights[-1]), 3))
    return Weighed(made, _threshold(rows, made))


def _descend(x: NDArray[np.float64], y: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.hstack([x, np.ones((len(x), 1))])
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-x @ weights))
        slope = x.T @ (share * (chance - y)) / share.sum() + 0.001 * np.append(weights[:-1], 0.0)
        weights -= 2.0 * slope
    return weights


def _threshold(rows: Sequence[tuple[Asked, list[Candidate]]], weights: Weights) -> float:
    best = []
    for asked, found in rows:
        one = max(found, key=lambda one: weights.chance(one.features), default=None)
        if one is not None:
            best.append((weights.chance(one.features), is_right(one, asked)))
    return max(
        (round(float(sure), 3) for sure in np.arange(0.02, 0.98, 0.01)),
        key=lambda sure: (sum((1 if right else -COST) for chance, right in best if chance >= sure), sure),
    )
