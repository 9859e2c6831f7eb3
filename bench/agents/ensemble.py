"""Ensembles on real data: three heads name the domain of exam questions; asked one, all, or all where the first is not sure.

Heads are trained on half of 2,000; weights, the best single one and the threshold come from a fifth; the rest is judged once.
Answers of the nine recorded models cannot be put to the vote: only whether they were right was recorded, not what they said.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from agents.forecast.thread import one_thread
from agents.vote import Case, Vote, settle, threshold_of, weight_of
from bench.agents.figure import Figure
from bench.agents.share import share
from bench.spread import Range, bootstrapped
from learning.outcomes import Outcomes

WORKER = "ensemble"
PRICE = 0.02  # right answers that asking all three is worth
_DATA = Path(__file__).resolve().parents[1] / "data"


class Asked(Struct, frozen=True):
    """One question: what each head said with which confidence, and the truth."""

    said: tuple[str, ...]
    sure: tuple[float, ...]
    truth: str


def heads(seed: int) -> tuple[Any, ...]:
    """Return three heads that look at different things: words, pieces of words, and likeness to known questions."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, max_features=30_000)
    return (
        make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=300)),
        make_pipeline(pieces, MultinomialNB(alpha=0.05)),
        make_pipeline(
            TfidfVectorizer(sublinear_tf=True),
            TruncatedSVD(100, random_state=seed),
            KNeighborsClassifier(15, weights="distance", metric="cosine"),
        ),
    )


def asked(seed: int) -> tuple[list[Asked], list[Asked]]:
    """Return questions to set up with, and questions to judge on."""
    told, setup = [one for _, one in answered(seed)], len(Outcomes.load(_DATA, "mmlupro_mid9").prompts)
    more = setup * 7 // 10 - setup // 2
    return told[:more], told[more:]


def answered(seed: int) -> list[tuple[str, Asked]]:
    """Return the half of the questions that the heads were not trained on, with what each head said."""
    prompts = list(Outcomes.load(_DATA, "mmlupro_mid9").prompts)
    random.Random(seed).shuffle(prompts)
    half = len(prompts) // 2
    learn, rest = prompts[:half], prompts[half:]
    chances = []
    trained = heads(seed)
    with one_thread():
        for head in trained:
            head.fit([one.text for one in learn], [one.domain for one in learn])
            chances.append((head.classes_, head.predict_proba([one.text for one in rest])))
    told = []
    for place, one in enumerate(rest):
        best = [chance[place].argmax() for _, chance in chances]
        said = tuple(str(names[top]) for (names, _), top in zip(chances, best, strict=True))
        sure = tuple(float(chance[place][top]) for (_, chance), top in zip(chances, best, strict=True))
        told.append((one.text, Asked(said, sure, one.domain)))
    return told


def in_order(setup: Sequence[Asked]) -> list[int]:
    """Return the heads, the one that was right most often first."""
    count = len(setup[0].said)
    return sorted(range(count), key=lambda head: (-sum(one.said[head] == one.truth for one in setup), head))


def voted(one: Asked, order: Sequence[int], weights: Sequence[float] | None) -> str:
    """Return the answer of the vote; the best head's where it ties."""
    votes = [Vote(one.said[head], 1.0 if weights is None else weights[head]) for head in order]
    return settle(votes, "majority" if weights is None else "weighted")


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    setup, judged = asked(seed)
    order = in_order(setup)
    first = order[0]
    weights = [weight_of(sum(one.said[head] == one.truth for one in setup), len(setup)) for head in range(len(order))]
    cases = [Case(one.sure[first], one.said[first] == one.truth, voted(one, order, weights) == one.truth) for one in setup]
    threshold = threshold_of(cases, PRICE)
    hard = [one.sure[first] < threshold for one in judged]
    alone = [one.said[first] == one.truth for one in judged]
    majority = [voted(one, order, None) == one.truth for one in judged]
    everybody = [voted(one, order, weights) == one.truth for one in judged]
    chosen = [vote if is_hard else one for one, vote, is_hard in zip(alone, everybody, hard, strict=True)]
    data = "domain of MMLU-Pro questions (bench/data), three heads, a threshold from other questions"
    base = share(alone, seed)

    def told(metric: str, hits: Sequence[bool]) -> Figure:
        return Figure(WORKER, metric, "share right", "higher", share(hits, seed), data, len(hits), "best single head", base)

    cost = bootstrapped([1.0 + (len(order) - 1) * is_hard for is_hard in hard], lambda drawn: sum(drawn) / len(drawn), seed)
    return [
        told("right_hard_only", chosen),
        told("right_weighted", everybody),
        told("right_majority", majority),
        Figure(
            WORKER, "gain_hard_only", "share right more", "higher", _gain(chosen, alone, seed), data, len(judged), asked="> 0"
        ),
        Figure(WORKER, "asked_of_all", "share of tasks", "lower", share(hard, seed), data, len(judged)),
        Figure(WORKER, "calls", "calls per task", "lower", cost, data, len(judged), "best single head", Range(1.0, 1.0, 1.0)),
    ]


def _gain(ours: Sequence[bool], theirs: Sequence[bool], seed: int) -> Range:
    """Return how much more often one is right than the other, on the same questions."""
    pairs = [float(one) - float(other) for one, other in zip(ours, theirs, strict=True)]
    return bootstrapped(pairs, lambda drawn: sum(drawn) / len(drawn), seed)
