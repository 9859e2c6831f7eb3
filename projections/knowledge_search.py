"""Searching knowledge: by meaning and by words, both under the same filters, fused by rank; now, or as of an offset.

By meaning: the exact scan where few pieces pass the filters, or where one asks as of earlier; else the HNSW index, and the exact
scan again if that gives too few. By words: those that few pieces have decide which ones are looked at, each counts by how rare it
is. Source of the fusion: Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion", SIGIR 2009; measured in decision 046.
"""

import re
from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from events.knowledge import EncoderKind
from projections.projection import fetch
from store.postgres import Connection

ENOUGH = 5_000  # so many pieces are compared one by one in a few milliseconds
COMMON = 2_000  # a word that so many pieces have decides nothing alone
TERMS = 32
CANDIDATES = 50
# Measured: in the paper 60, which on a few hundred pieces hardly tells the first place of a list from the tenth.
RANK = 5.0
Balance = tuple[float, float]  # weights of the list by meaning and of the one by words
USUAL: Balance = (1.0, 0.7)
CODED: Balance = (1.0, 2.0)  # where the question names a code or number, which vectors do not tell apart
_CODE = re.compile(r"\b(?=\w*[-./]?\w*\d)(?=[\w./-]*[A-Za-z])[\w./-]+\b|\b\d{2,}\b")

Place = tuple[str, int, int]  # document, version, chunk

_LIVE = "d.until is null"
_THEN = "d.since <= %(as_of)s and (d.until is null or d.until > %(as_of)s)"
_JOINED = "on c.tenant = d.tenant and c.document_id = d.document_id and c.version = d.version"
_NEAREST = "c.embedding <=> %(vector)s::halfvec(384)"
_POOL = "select coalesce(sum(d.chunks), 0)::bigint from public.knowledge_documents d where {filter}"
_ENCODER = """
select encoder, kind from public.knowledge_encoders
where tenant = %(tenant)s and (%(as_of)s::bigint is null or since <= %(as_of)s::bigint) order by since desc limit 1"""
_NEAR = """
select c.document_id, c.version, c.chunk
from public.knowledge_vectors c join public.knowledge_documents d {joined}
where c.encoder = %(encoder)s and c.tenant = %(tenant)s and {filter}
order by {nearest} limit %(most)s"""
_TERMS = """
select lexeme, (
  select count(*) from (
    select from public.knowledge_chunks c join public.knowledge_documents d {joined}
    where c.words @@ quote_literal(asked.lexeme)::tsquery and {filter} limit %(common)s) as few) as pieces
from unnest(to_tsvector('english', %(text)s)) as asked order by pieces, lexeme limit %(terms)s"""
_WORDS = """
with found as materialized (
  select c.document_id, c.version, c.chunk, c.words
  from public.knowledge_chunks c join public.knowledge_documents d {joined}
  where c.words @@ %(any)s::tsquery and {filter}
)
select document_id, version, chunk from found, lateral (
  select sum(asked.weight) as weight from unnest(%(asked)s::text[], %(weights)s::float8[]) as asked(term, weight)
  where found.words @@ asked.term::tsquery) as fit
order by fit.weight desc nulls last, ts_rank(found.words, %(every)s::tsquery, 1) desc, document_id, version, chunk
limit %(most)s"""
_HITS = """
select d.domain, c.document_id, c.version, c.chunk, d.name, d.title, d.source, d.meta, c.heading, c.text, c.starts, c.ends
from unnest(%(ids)s::text[], %(versions)s::int[], %(chunks)s::int[]) as wanted(document_id, version, chunk)
join public.knowledge_chunks c on c.tenant = %(tenant)s and c.document_id = wanted.document_id
  and c.version = wanted.version and c.chunk = wanted.chunk
join public.knowledge_documents d {joined}"""
# The index first, filters behind it, on and on until enough pass, within bounds.
_BY_INDEX = (
    "set local hnsw.ef_search = 200",
    "set local hnsw.iterative_scan = relaxed_order",
    "set local hnsw.max_scan_tuples = 40000",
    "set local enable_seqscan = off",
    "set local enable_sort = off",
    "set local enable_hashjoin = off",
    "set local enable_mergejoin = off",
)
_AS_USUAL = tuple(f"set local {name} = on" for name in ("enable_seqscan", "enable_sort", "enable_hashjoin", "enable_mergejoin"))


class InForce(Struct, frozen=True):
    """The encoder whose vectors serve: its label, and what the settings call it."""

    encoder: str
    kind: EncoderKind


class Wanted(Struct, frozen=True, kw_only=True):
    """Whose pieces may be found: of which domains (None: all), holding which rights, with which metadata, how many, as of when.

    `as_of` is the last offset of the topic that counts; None: as it is.
    """

    tenant: str
    k: int = 10
    domains: tuple[str, ...] | None = None
    held: tuple[str, ...] = ()
    meta: Mapping[str, str] = {}
    as_of: int | None = None


class Question(Struct, frozen=True):
    """What is looked for: its text, and its vector by the encoder in force (None: there is none, words alone decide)."""

    text: str
    encoder: str | None = None
    vector: str | None = None


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


class _Row(Struct, frozen=True):
    document_id: str
    version: int
    chunk: int

    @property
    def place(self) -> Place:
        return self.document_id, self.version, self.chunk


class _Term(Struct, frozen=True):
    lexeme: str
    pieces: int

    @property
    def query(self) -> str:
        """Return the word as a query of Postgres."""
        escaped = self.lexeme.replace("\\", "\\\\").replace("'", "''")
        return f"'{escaped}'"


def written(vector: NDArray[np.float32]) -> str:
    """Return a vector as Postgres reads it, in the precision that it is stored in."""
    return "[" + ",".join(f"{number:.5g}" for number in vector.astype(np.float16).tolist()) + "]"


async def in_force(connection: Connection, tenant: str, as_of: int | None = None) -> InForce | None:
    """Return the encoder that serves, or served; None: nothing was taken in by then."""
    found = await fetch(connection, InForce, _ENCODER, {"tenant": tenant, "as_of": as_of})
    return found[0] if found else None


async def search(connection: Connection, question: Question, wanted: Wanted, balance: Balance | None = None) -> list[Hit]:
    """Return the k pieces that fit best, best first; fewer only if there are no more. The connection must be nobody else's."""
    most = max(CANDIDATES, 4 * wanted.k)
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read")
        near = await by_meaning(connection, question, wanted, most) if question.vector is not None else []
        said = await by_words(connection, question.text, wanted, most)
        fused = fuse((near, said), balance or balance_of(question.text))[: wanted.k]
        return await _hits(connection, wanted, fused, near, said)


async def by_meaning(connection: Connection, question: Question, wanted: Wanted, most: int) -> list[Place]:
    """Return the pieces whose vectors are nearest; call it inside a transaction."""
    pool = await _pool(connection, wanted)
    if pool <= ENOUGH or wanted.as_of is not None:
        return await exactly(connection, question, wanted, most)
    found = await _nearest(connection, question, wanted, most, _BY_INDEX, _NEAREST)
    await _set(connection, _AS_USUAL)
    return found if len(found) == most else await exactly(connection, question, wanted, most)


async def exactly(connection: Connection, question: Question, wanted: Wanted, most: int) -> list[Place]:
    """Return the pieces whose vectors are nearest by looking at every one; call it inside a transaction."""
    how = ("set local enable_indexscan = on", "set local hnsw.iterative_scan = off")
    return await _nearest(connection, question, wanted, most, how, f"({_NEAREST}) + 0, c.document_id, c.version, c.chunk")


async def by_words(connection: Connection, text: str, wanted: Wanted, most: int) -> list[Place]:
    """Return the pieces that have the question's words, the rarest counting most; call it inside a transaction."""
    given = {**_arguments(wanted), "text": text, "common": COMMON, "terms": TERMS}
    query = _TERMS.format(joined=_JOINED, filter=_filter(wanted))
    terms = [term for term in await fetch(connection, _Term, query, given) if term.pieces]
    if not terms:
        return []
    rare = [term for term in terms if term.pieces < COMMON] or terms[:1]
    pool = await _pool(connection, wanted)
    more = {
        "any": " | ".join(term.query for term in rare),
        "every": " | ".join(term.query for term in terms),
        "asked": [term.query for term in terms],
        "weights": [log((pool + 1.0) / (term.pieces + 0.5)) for term in terms],
        "most": most,
    }
    found = await fetch(connection, _Row, _WORDS.format(joined=_JOINED, filter=_filter(wanted)), {**given, **more})
    return [row.place for row in found]


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


async def _pool(connection: Connection, wanted: Wanted) -> int:
    """Return how many pieces pass the filters."""
    row = await (await connection.execute(_POOL.format(filter=_filter(wanted)).encode(), _arguments(wanted))).fetchone()
    return int(row[0]) if row else 0


async def _nearest(
    connection: Connection, question: Question, wanted: Wanted, most: int, how: Sequence[str], nearest: str
) -> list[Place]:
    """Return the nearest pieces under some settings."""
    await _set(connection, how)
    given = {**_arguments(wanted), "encoder": question.encoder, "vector": question.vector, "most": most}
    query = _NEAR.format(joined=_JOINED, filter=_filter(wanted), nearest=nearest)
    return [row.place for row in await fetch(connection, _Row, query, given)]


async def _set(connection: Connection, how: Sequence[str]) -> None:
    await connection.execute(";".join(how).encode(), prepare=False)


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
    found = await fetch(connection, Hit, _HITS.format(joined=_JOINED), given)
    there = {(hit.document_id, hit.version, hit.chunk): hit for hit in found}
    ranks = [{place: rank for rank, place in enumerate(places, start=1)} for places in (near, said)]
    return [
        msgspec.structs.replace(there[place], score=score, by_meaning=ranks[0].get(place), by_words=ranks[1].get(place))
        for place, score in fused
        if place in there
    ]


def _filter(wanted: Wanted) -> str:
    """Return the conditions on documents."""
    parts = ["d.tenant = %(tenant)s", "not d.erased", _LIVE if wanted.as_of is None else _THEN, "d.rights <@ %(held)s::jsonb"]
    parts += ["d.domain = any(%(domains)s)"] if wanted.domains is not None else []
    parts += ["d.meta @> %(meta)s::jsonb"] if wanted.meta else []
    return " and ".join(parts)


def _arguments(wanted: Wanted) -> dict[str, Any]:
    return {
        "tenant": wanted.tenant,
        "held": msgspec.json.encode(wanted.held).decode(),
        "domains": list(wanted.domains or ()),
        "meta": msgspec.json.encode(wanted.meta).decode(),
        "as_of": wanted.as_of,
    }
