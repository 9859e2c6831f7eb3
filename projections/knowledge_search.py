"""Searching knowledge: by meaning and by words, both under the same filters, fused by rank; now, or as of an offset.

Source of the fusion: Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion", SIGIR 2009; measured in decision 046.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from events.knowledge import EncoderKind
from projections.knowledge_near import Question, by_meaning
from projections.knowledge_wanted import JOINED, Place, Wanted, pool_of
from projections.knowledge_words import by_words
from projections.projection import fetch
from store.postgres import Connection

CANDIDATES = 50
# Measured: in the paper 60, which on a few hundred pieces hardly tells the first place of a list from the tenth.
RANK = 5.0
Balance = tuple[float, float]  # weights of the list by meaning and of the one by words
USUAL: Balance = (1.0, 0.7)
CODED: Balance = (1.0, 2.0)  # where the question names a code or number, which vectors do not tell apart
_CODE = re.compile(r"\b(?=\w*[-./]?\w*\d)(?=[\w./-]*[A-Za-z])[\w./-]+\b|\b\d{2,}\b")

_ENCODER = """
select encoder, kind from public.knowledge_encoders
where tenant = %(tenant)s and (%(as_of)s::bigint is null or since <= %(as_of)s::bigint) order by since desc limit 1"""
_HITS = """
select d.domain, c.document_id, c.version, c.chunk, d.name, d.title, d.source, d.meta, c.heading, c.text, c.starts, c.ends
from unnest(%(ids)s::text[], %(versions)s::int[], %(chunks)s::int[]) as wanted(document_id, version, chunk)
join public.knowledge_chunks c on c.tenant = %(tenant)s and c.document_id = wanted.document_id
  and c.version = wanted.version and c.chunk = wanted.chunk
join public.knowledge_documents d {joined}"""


class InForce(Struct, frozen=True):
    """The encoder whose vectors serve: its label, and what the settings call it."""

    encoder: str
    kind: EncoderKind


class Hit(Struct, frozen=True, kw_only=True):
    """One piece that was found, with its fused score (higher is better) and its rank in either list, from 1."""

    domain: str
    document_id: str
    version: int
    chunk: int
    name: str
    title: str
    source: str
    meta: dict[str, str]
    heading: str
    text: str
    starts: int
    ends: int
    score: float = 0.0
    by_meaning: int | None = None
    by_words: int | None = None


async def in_force(connection: Connection, tenant: str, as_of: int | None = None) -> InForce | None:
    """Return the encoder that serves, or served; None: nothing was taken in by then."""
    found = await fetch(connection, InForce, _ENCODER, {"tenant": tenant, "as_of": as_of})
    return found[0] if found else None


async def search(connection: Connection, question: Question, wanted: Wanted, balance: Balance | None = None) -> list[Hit]:
    """Return the k pieces that fit best, best first; fewer only if there are no more. The connection must be nobody else's."""
    most = max(CANDIDATES, 4 * wanted.k)
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read")
        pool = await pool_of(connection, wanted)
        said = await by_words(connection, question.text, wanted, most, pool)
        near = await by_meaning(connection, question, wanted, most, pool) if question.vector is not None else []
        fused = fuse((near, said), balance or balance_of(question.text))[: wanted.k]
        return await _hits(connection, wanted, fused, near, said)


def balance_of(text: str) -> Balance:
    """Return how the two lists weigh for a question."""
    return CODED if _CODE.search(text) else USUAL


def fuse(lists: Sequence[Sequence[Place]], weights: Sequence[float]) -> list[tuple[Place, float]]:
    """Return all places with their fused scores, best first; equal ones in the order of their names."""
    scores: dict[Place, float] = {}
    for places, weight in zip(lists, weights, strict=True):
        for rank, place in enumerate(places, start=1):
            scores[place] = scores.get(place, 0.0) + weight / (RANK + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


async def _hits(
    connection: Connection,
    wanted: Wanted,
    fused: Sequence[tuple[Place, float]],
    near: Sequence[Place],
    said: Sequence[Place],
) -> list[Hit]:
    """Return pieces with their texts, in order."""
    given = {
        "tenant": wanted.tenant,
        "ids": [place[0] for place, _ in fused],
        "versions": [place[1] for place, _ in fused],
        "chunks": [place[2] for place, _ in fused],
    }
    found = await fetch(connection, Hit, _HITS.format(joined=JOINED), given)
    there = {(hit.document_id, hit.version, hit.chunk): hit for hit in found}
    ranks = [{place: rank for rank, place in enumerate(places, start=1)} for places in (near, said)]
    return [
        msgspec.structs.replace(there[place], score=score, by_meaning=ranks[0].get(place), by_words=ranks[1].get(place))
        for place, score in fused
        if place in there
    ]
