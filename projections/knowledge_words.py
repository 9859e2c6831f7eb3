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
_WORDS = "select lexeme, query::text as query, 0::bigint as sampled from ({asked}) as asked order by lexeme"
_TERMS = """
select asked.lexeme, asked.query::text as query, (
  select count(*) from (
    select from public.knowledge_chunks c join public.knowledge_documents d {joined}
    where c.words @@ asked.query and {sample} and {there} limit %(sampled)s) as few) as sampled
from ({asked}) as asked order by sampled, lexeme"""
# Which of the question's words a piece has is told once, as its line is read; the rest is sums over short lines.
_BEST = """
with pieces as materialized (
  select c.document_id, c.version, c.chunk, c.words, {has}
  from {source}
),
rarity as materialized (select {rarities} from pieces),
best as materialized (
  select pieces.document_id, pieces.version, pieces.chunk, pieces.words, {total} as weight
  from pieces, rarity where {any} order by weight desc fetch first %(most)s rows with ties
)
select document_id, version, chunk from best
order by weight desc, ts_rank(words, %(all)s::tsquery, 1) desc, document_id, version, chunk limit %(most)s"""
_EVERY_PIECE = "public.knowledge_documents d join public.knowledge_chunks c {joined} where {filter}"
_LOOKED_UP = """
  public.knowledge_chunks c join public.knowledge_documents d {joined} where c.words @@ %(any)s::tsquery and {filter}{sample}"""
_COUNTED = "greatest(0, round({exact}.0 * ln((%(pool)s::float8 + 1.0) / (count(*) filter (where h{name}) + 0.5)))::bigint)"


class Term(Struct, frozen=True):
    """A word of the question, as a query of Postgres, and how many pieces of the sample have it."""

    lexeme: str
    query: str
    sampled: int

    @property
    def about(self) -> float:
        """Return about how many pieces have it."""
        return _SHARE * max(self.sampled, 0.5)


class Weighed(Struct, frozen=True):
    """A word with what it counts, in millionths; None: as rare as it is among the pieces that are looked at."""

    term: Term
    weight: int | None


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
    terms = await fetch(connection, Term, _WORDS.format(asked=_ASKED), {"text": text, "terms": TERMS})
    weighed = [Weighed(term, None) for term in terms]
    source = _EVERY_PIECE.format(joined=JOINED, filter=passing(wanted))
    return await _best(connection, weighed, source, {**arguments(wanted), "pool": pool, "most": most}) if terms else []


async def _looked_up(connection: Connection, terms: Sequence[Term], wanted: Wanted, most: int, pool: int) -> list[Place]:
    """Return the pieces that have one of the words that decide; where even the rarest is common, a sixteenth of its pieces."""
    share = await _share(connection, wanted, pool)
    deciding = decisive(terms, LOOKED_UP / max(share, _NARROWEST))
    common = deciding[0].about > LOOKED_UP / max(share, _NARROWEST)
    weighed = [Weighed(one, None if one in deciding and not common else weight(one.about * share, pool)) for one in terms]
    source = _LOOKED_UP.format(joined=JOINED, filter=passing(wanted), sample=f" and {SAMPLE.format('c.')}" if common else "")
    given = {**arguments(wanted), "any": " | ".join(term.query for term in deciding), "pool": pool, "most": most}
    return await _best(connection, weighed, source, given)


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


async def _best(connection: Connection, weighed: Sequence[Weighed], source: str, given: dict[str, object]) -> list[Place]:
    """Return the best of the pieces of a source."""
    queries = [one.term.query for one in weighed]
    told = {f"q{number}": query for number, query in enumerate(queries)}
    weights = {f"w{number}": one.weight for number, one in enumerate(weighed)}
    known = {**given, **told, **weights, "all": " | ".join(sorted(queries))}
    return [row.place for row in await fetch(connection, Row, _scored(weighed, source), known, prepare=False)]


def _scored(weighed: Sequence[Weighed], source: str) -> str:
    """Return the query that weighs the pieces of a source by words, whose queries are q0, q1 ... and weights w0, w1 ..."""
    names = range(len(weighed))
    counted = [_COUNTED.format(exact=_EXACT, name=name) for name in names]
    rarities = [
        how if one.weight is None else f"%(w{name})s::bigint" for name, how, one in zip(names, counted, weighed, strict=True)
    ]
    return _BEST.format(
        source=source,
        has=", ".join(f"c.words @@ %(q{name})s::tsquery as h{name}" for name in names),
        rarities=", ".join(f"{how} as r{name}" for name, how in enumerate(rarities)),
        total=" + ".join(f"case when h{name} then r{name} else 0 end" for name in names),
        any=" or ".join(f"h{name}" for name in names),
    )
