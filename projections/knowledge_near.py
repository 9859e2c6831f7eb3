"""Searching knowledge by meaning: every piece where few pass the filters, or as of earlier; else by the HNSW index.

The index is a partial one, for one encoder. So the encoder stands in the query as it is: as a parameter it would be unknown to
the plan that Postgres keeps for a prepared statement, which then could only look at every piece (decision 050).
Source of going on in the index until enough pass: https://github.com/pgvector/pgvector#iterative-index-scans.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from projections.knowledge_wanted import JOINED, Place, Row, Wanted, arguments, passing, pool_of
from projections.projection import fetch
from store.postgres import Connection

ENOUGH = 5_000  # so many pieces are compared one by one in a few milliseconds
MANY = 30_000  # from here on the index is searched twice as widely, for the same recall

_NEAREST = "c.embedding <=> %(vector)s::halfvec(384)"
_NEAR = """
with near as materialized (
  select c.document_id, c.version, c.chunk, {nearest} as distance
  from public.knowledge_vectors c join public.knowledge_documents d {joined}
  where c.encoder = {encoder} and c.tenant = %(tenant)s and {filter}
  order by {nearest}{ties} limit %(most)s
)
select document_id, version, chunk from near order by distance, document_id, version, chunk"""
# The index first, filters behind it, on and on until enough pass, within bounds.
_BY_INDEX = (
    "set local hnsw.iterative_scan = relaxed_order",
    "set local hnsw.max_scan_tuples = 40000",
    "set local enable_seqscan = off",
    "set local enable_sort = off",
    "set local enable_hashjoin = off",
    "set local enable_mergejoin = off",
)
_AS_USUAL = tuple(f"set local {name} = on" for name in ("enable_seqscan", "enable_sort", "enable_hashjoin", "enable_mergejoin"))


class Question(Struct, frozen=True):
    """What is looked for: its text, and its vector by the encoder in force (None: there is none, words alone decide)."""

    text: str
    encoder: str | None = None
    vector: str | None = None


def written(vector: NDArray[np.float32]) -> str:
    """Return a vector as Postgres reads it, in the precision that it is stored in."""
    return "[" + ",".join(f"{number:.5g}" for number in vector.astype(np.float16).tolist()) + "]"


def quoted(text: str) -> str:
    """Return a text as a constant of SQL."""
    return "'" + text.replace("'", "''") + "'"


async def by_meaning(
    connection: Connection, question: Question, wanted: Wanted, most: int, pool: int | None = None
) -> list[Place]:
    """Return the pieces whose vectors are nearest; call it inside a transaction, whose other searches should come before.

    `pool`: how many pieces pass the filters, where that is known.
    """
    size = await pool_of(connection, wanted) if pool is None else pool
    if size <= ENOUGH or wanted.as_of is not None:
        return await exactly(connection, question, wanted, most)
    await _set(connection, (f"set local hnsw.ef_search = {100 if size < MANY else 200}", *_BY_INDEX))
    found = await _nearest(connection, question, wanted, most, _NEAREST, "")
    if len(found) == most:
        return found
    await _set(connection, _AS_USUAL)
    return await exactly(connection, question, wanted, most)


async def exactly(connection: Connection, question: Question, wanted: Wanted, most: int) -> list[Place]:
    """Return the pieces whose vectors are nearest by looking at every one; call it inside a transaction."""
    return await _nearest(connection, question, wanted, most, f"({_NEAREST}) + 0", ", c.document_id, c.version, c.chunk")


async def _nearest(connection: Connection, question: Question, wanted: Wanted, most: int, nearest: str, ties: str) -> list[Place]:
    """Return the nearest pieces by a plan that `nearest` allows."""
    encoder = quoted(question.encoder or "").replace("%", "%%")
    query = _NEAR.format(joined=JOINED, filter=passing(wanted), nearest=nearest, ties=ties, encoder=encoder)
    given = {**arguments(wanted), "vector": question.vector, "most": most}
    return [row.place for row in await fetch(connection, Row, query, given, prepare=False)]


async def _set(connection: Connection, how: Sequence[str]) -> None:
    await connection.execute(";".join(how).encode(), prepare=False)
