"""Searching knowledge by words: the rare ones of a question decide which pieces are looked at, each counts by how rare it is.

Where few pieces pass the filters, every one is read and every word counts exactly. Else a sixteenth of all pieces, drawn by a
digest of their place, tells about how many have a word; words are looked up from the rarest on while they have few pieces in
all, and of those looked up the rarity is exact. So the same pieces always give the same order, now or as of an offset.
Source of the weights: Sparck Jones, "A statistical interpretation of term specificity", 1972.
"""

from collections.abc import Sequence
from math import log

from msgspec import Struct

from projections.knowledge_wanted import JOINED, Place, Row, Wanted, arguments, passing, pool_of, there
from projections.projection import fetch
from store.postgres import Connection

FEW = 2_000  # so many pieces are read one by one in a few milliseconds
LOOKED_UP = 800  # pieces that the words that decide have in all, about
SAMPLED_AT_MOST = 400  # of a word; what so many of a sixteenth have decides nothing
TERMS = 64  # of a longer text the first ones count
_SHARE = 16
_NARROWEST = 0.25  # behind filters that leave fewer more pieces are looked up, so that enough pass, but no more than four times
SAMPLE = f"((hashtext({{0}}document_id) # {{0}}chunk) & {_SHARE - 1}) = 0"  # also what the index of the sample says
_EXACT = 1_000_000  # weights are added as whole millionths: sums of those do not depend on their order

_ASKED = """
select lexeme, quote_literal(lexeme)::tsquery as query
from unnest(to_tsvector('english', %(text)s)) order by positions[1], lexeme limit %(terms)s"""
_TERMS = """
select asked.lexeme, asked.query::text as query, (
  select count(*) from (
    select from public.knowledge_chunks c join public.knowledge_documents d {joined}
    where c.words @@ asked.query and {sample} and {there} limit %(sampled)s) as few) as sampled
from ({asked}) as asked order by sampled, lexeme"""
_EVERY_PIECE = """
with asked as materialized (select lexeme, query, null::bigint as weight from ({asked}) as words),
pieces as materialized (
  select c.document_id, c.version, c.chunk, c.words
  from public.knowledge_documents d join public.knowledge_chunks c {joined} where {filter}
),"""
_LOOKED_UP = """
with asked as materialized (
  select query::tsquery as query, query as lexeme, weight
  from unnest(%(queries)s::text[], %(weights)s::bigint[]) as told(query, weight)
),
pieces as materialized (
  select c.document_id, c.version, c.chunk, c.words
  from public.knowledge_chunks c join public.knowledge_documents d {joined} where c.words @@ %(any)s::tsquery and {filter}
),"""
_BEST = """
hits as materialized (
  select pieces.document_id, pieces.version, pieces.chunk, asked.lexeme, asked.weight
  from pieces join asked on pieces.words @@ asked.query
),
rarity as (
  select lexeme,
    coalesce(min(weight), greatest(0, round({exact} * ln((%(pool)s::float8 + 1.0) / (count(*) + 0.5)))::bigint)) as weight
  from hits group by lexeme
),
best as (
  select document_id, version, chunk, sum(rarity.weight) as weight
  from hits join rarity using (lexeme) group by document_id, version, chunk
  order by weight desc fetch first %(most)s rows with ties
)
select best.document_id, best.version, best.chunk
from best join public.knowledge_chunks c on c.tenant = %(tenant)s and c.document_id = best.document_id
  and c.version = best.version and c.chunk = best.chunk
order by best.weight desc, ts_rank(c.words, (select string_agg(query::text, ' | ' order by lexeme) from asked)::tsquery, 1) desc,
  best.document_id, best.version, best.chunk
limit %(most)s"""


class Term(Struct, frozen=True):
    """A word of the question, as a query of Postgres, and how many pieces of the sample have it."""

    lexeme: str
    query: str
    sampled: int

    @property
    def about(self) -> float:
        """Return about how many pieces have it."""
        return _SHARE * max(self.sampled, 0.5)


async def by_words(connection: Connection, text: str, wanted: Wanted, most: int, pool: int | None = None) -> list[Place]:
    """Return the pieces that have the question's words, the rarest counting most; call it inside a transaction.

    `pool`: how many pieces pass the filters, where that is known.
    """
    size = await pool_of(connection, wanted) if pool is None else pool
    if size <= FEW:
        return await every_word(connection, text, wanted, most, size)
    given = {**arguments(wanted), "text": text, "terms": TERMS, "sampled": SAMPLED_AT_MOST}
    query = _TERMS.format(joined=JOINED, asked=_ASKED, sample=SAMPLE.format("c."), there=there(wanted))
    terms = await fetch(connection, Term, query, given, prepare=False)
    return await _looked_up(connection, terms, wanted, most, size) if terms else []


async def every_word(connection: Connection, text: str, wanted: Wanted, most: int, pool: int) -> list[Place]:
    """Return the same where every word decides, by reading every piece."""
    head = _EVERY_PIECE.format(joined=JOINED, asked=_ASKED, filter=passing(wanted))
    given = {**arguments(wanted), "text": text, "terms": TERMS, "pool": pool, "most": most}
    return await _best(connection, head, given)


async def _looked_up(connection: Connection, terms: Sequence[Term], wanted: Wanted, most: int, pool: int) -> list[Place]:
    """Return the pieces that have one of the words that decide; where even the rarest is common, a sixteenth of its pieces."""
    share = await _share(connection, wanted, pool)
    deciding = decisive(terms, LOOKED_UP / max(share, _NARROWEST))
    common = deciding[0].about > LOOKED_UP / max(share, _NARROWEST)
    conditions = f"{passing(wanted)} and {SAMPLE.format('c.')}" if common else passing(wanted)
    given = {
        **arguments(wanted),
        "queries": [term.query for term in terms],
        "weights": [None if term in deciding and not common else weight(term.about * share, pool) for term in terms],
        "any": " | ".join(term.query for term in deciding),
        "pool": pool,
        "most": most,
    }
    return await _best(connection, _LOOKED_UP.format(joined=JOINED, filter=conditions), given)


async def _share(connection: Connection, wanted: Wanted, pool: int) -> float:
    """Return which share of the tenant's pieces passes the filters."""
    if wanted.domains is None and not wanted.meta:
        return 1.0
    return pool / max(1, pool, await pool_of(connection, Wanted(tenant=wanted.tenant, as_of=wanted.as_of, held=wanted.held)))


def decisive(terms: Sequence[Term], most: float = LOOKED_UP) -> list[Term]:
    """Return the rarest words that have so many pieces in all, at least one; `terms` come rarest first."""
    total, chosen = 0.0, list(terms[:1])
    for term in terms:
        total += term.about
        if total > most:
            break
        chosen = [*chosen, term] if term not in chosen else chosen
    return chosen


def weight(about: float, pool: int) -> int:
    """Return how much a word counts that about so many pieces of the pool have: the more, the less, and never against a piece."""
    return max(0, round(_EXACT * log((pool + 1.0) / (about + 0.5))))


async def _best(connection: Connection, head: str, given: dict[str, object]) -> list[Place]:
    rows = await fetch(connection, Row, head + _BEST.format(exact=f"{_EXACT}.0"), given, prepare=False)
    return [row.place for row in rows]
