"""What is found for the labelled questions: by words alone, by meaning alone, and by both, with each encoder."""

from collections.abc import Sequence
from math import log2

from msgspec import Struct

from agents.vectors import Labelled
from bench.knowledge.corpus import DOMAIN, TENANT, Asked
from bench.spread import Range, bootstrapped
from projections.knowledge_near import Question, written
from projections.knowledge_search import Balance, Hit, search
from projections.knowledge_wanted import Wanted
from store.postgres import Connection

K = 10
WAYS: dict[str, Balance | None] = {"words": (0.0, 1.0), "meaning": (1.0, 0.0), "both": None}


class Quality(Struct, frozen=True):
    """One way of searching: shares of questions whose piece is among the first 1, 5 and 10, nDCG@10, and the gain over words."""

    encoder: str
    way: str
    recall_1: Range
    recall_5: Range
    recall_10: Range
    ndcg: Range
    ndcg_gain: Range
    questions: int


async def qualities(connection: Connection, encoder: Labelled, asked: Sequence[Asked]) -> list[Quality]:
    """Return how each way does on the questions that some document answers."""
    answerable = [one for one in asked if one.document]
    ranks = {way: [await _rank(connection, encoder, one, balance) for one in answerable] for way, balance in WAYS.items()}
    return [_quality(encoder.label, way, found, ranks["words"]) for way, found in ranks.items()]


async def _rank(connection: Connection, encoder: Labelled, asked: Asked, balance: Balance | None) -> int | None:
    """Return the place, from 1, of the first piece that holds the answer."""
    question = Question(asked.question, encoder.label, written(encoder.encode(asked.question)))
    hits = await search(connection, question, Wanted(tenant=TENANT, k=K, domains=(DOMAIN,)), balance)
    return next((place for place, hit in enumerate(hits, start=1) if holds(hit, asked)), None)


def holds(hit: Hit, asked: Asked) -> bool:
    """Say whether a piece holds the answer to a question."""
    return hit.name == asked.document and any(answer in hit.text for answer in asked.answers)


def _quality(encoder: str, way: str, found: Sequence[int | None], words: Sequence[int | None]) -> Quality:
    gains = [_gain(one) - _gain(other) for one, other in zip(found, words, strict=True)]
    return Quality(
        encoder=encoder,
        way=way,
        recall_1=_mean([_within(one, 1) for one in found]),
        recall_5=_mean([_within(one, 5) for one in found]),
        recall_10=_mean([_within(one, K) for one in found]),
        ndcg=_mean([_gain(one) for one in found]),
        ndcg_gain=_mean(gains),
        questions=len(found),
    )


def _within(rank: int | None, most: int) -> float:
    return float(rank is not None and rank <= most)


def _gain(rank: int | None) -> float:
    """Return the gain of a place: with one right piece nDCG is 1 / log2(1 + place)."""
    return 0.0 if rank is None else 1.0 / log2(1 + rank)


def _mean(values: Sequence[float]) -> Range:
    return bootstrapped(values, lambda sample: sum(sample) / len(sample))
