"""Fits how sentences are scored as answers: `fitted` gives the weights that `agents/answering.py` holds.

Only questions of `dev` are used, each twice: with the document that answers it, and without it, when nothing is right. A sentence
is right if it is from the right document and holds the answer. `bench.knowledge.sure` fits which of them are answers at all.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.answering import Candidate, Features, Weights
from agents.port import Passage
from agents.vectors import Labelled
from bench.knowledge.corpus import DOMAIN, TENANT, Asked
from projections.knowledge_near import Question, written
from projections.knowledge_search import search
from projections.knowledge_wanted import Wanted
from smolit.knowledge.shelf import passage
from store.postgres import Connection

READ = 8  # passages that an answer is looked for in
_ROUNDS = 4_000


async def passages_for(connection: Connection, encoder: Labelled, question: str, k: int = READ) -> tuple[Passage, ...]:
    """Return what the store finds for a question."""
    asked = Question(question, encoder.label, written(encoder.encode(question)))
    wanted = Wanted(tenant=TENANT, k=k, domains=(DOMAIN,))
    return tuple(passage(hit) for hit in await search(connection, asked, wanted))


def is_right(one: Candidate, asked: Asked) -> bool:
    """Say whether a candidate answers a question."""
    return one.passage.title == asked.document and any(answer in one.text for answer in asked.answers)


def fitted(rows: Sequence[tuple[Asked, list[Candidate]]]) -> Weights:
    """Return weights by logistic regression (gradient descent, a little shrunk)."""
    names = Features.__struct_fields__
    values, labels, shares = [], [], []
    for asked, found in rows:
        for one in found:
            values.append([getattr(one.features, name) for name in names])
            labels.append(float(is_right(one, asked)))
            shares.append(10.0 if labels[-1] else 1.0 / len(found) * 10.0)
    weights = _descend(np.array(values), np.array(labels), np.array(shares))
    return Weights(tuple(round(float(one), 3) for one in weights[:-1]), round(float(weights[-1]), 3))


def _descend(x: NDArray[np.float64], y: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.hstack([x, np.ones((len(x), 1))])
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-x @ weights))
        slope = x.T @ (share * (chance - y)) / share.sum() + 0.001 * np.append(weights[:-1], 0.0)
        weights -= 2.0 * slope
    return weights
