"""Indexes over documents that are built aside once they pay: an HNSW one for each encoder, and one of the sample of words.

See `projections/similar_index.py`. Without them every search gives the same or better, and takes longer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

from psycopg import OperationalError
from psycopg.errors import InvalidSchemaName, UndefinedObject, UndefinedTable

from projections.knowledge_near import ENOUGH, quoted
from projections.knowledge_words import SAMPLE
from store.errors import PostgresUnreachable
from store.postgres import Connection

NEAREST_PIECES = "knowledge_vectors_v1_nearest"
SAMPLED_PIECES = "knowledge_chunks_v1_sample"
LOOK_S = 30.0

_WORTH_IT = """
select encoder from (select encoder, count(*) as many from {schema}.knowledge_vectors_v1 group by encoder) as each
where many >= %s order by encoder"""
_IS_WHOLE = "select indisvalid from pg_index where indexrelid = to_regclass(%s)"
_DROP = "drop index concurrently {schema}.{name}"
_MAKE = """
create index concurrently {name} on {schema}.knowledge_vectors_v1 using hnsw (embedding halfvec_cosine_ops)
with (m = 16, ef_construction = 200) where encoder = {encoder}"""
_MAKE_SAMPLE = """
create index concurrently {name} on {schema}.knowledge_chunks_v1 using gin (words) where {sample}"""
_GROWN = "select pg_relation_size(to_regclass(%s))"


def name_of(encoder: str) -> str:
    """Return the name of an encoder's index."""
    return f"{NEAREST_PIECES}_{sha256(encoder.encode()).hexdigest()[:8]}"


async def build(connection: Connection, schema: str, enough: int = ENOUGH) -> list[str]:
    """Build the indexes of a generation that are missing and worth it; return the encoders that have one."""
    cursor = await connection.execute(_WORTH_IT.format(schema=schema).encode(), (enough,))
    encoders = [str(row[0]) for row in await cursor.fetchall()]
    if encoders:
        await _build(
            connection, schema, SAMPLED_PIECES, _MAKE_SAMPLE.format(name=SAMPLED_PIECES, schema=schema, sample=SAMPLE.format(""))
        )
    for encoder in encoders:
        name = name_of(encoder)
        await _build(connection, schema, name, _MAKE.format(name=name, schema=schema, encoder=quoted(encoder)))
    return encoders


async def _build(connection: Connection, schema: str, name: str, make: str) -> None:
    """Build one index, anew if it was left unfinished."""
    row = await (await connection.execute(_IS_WHOLE, (f"{schema}.{name}",))).fetchone()
    if row is not None and row[0]:
        return
    if row is not None:
        await connection.execute(_DROP.format(schema=schema, name=name).encode())
    await connection.execute(make.encode())


@asynccontextmanager
async def tended(connect: Callable[[], Awaitable[Connection]], schema: str) -> AsyncIterator[None]:
    """Have the indexes of a generation built beside what is done meanwhile, each once it is worth it."""
    tending = asyncio.create_task(_tend(connect, schema))
    try:
        yield
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending


async def _tend(connect: Callable[[], Awaitable[Connection]], schema: str) -> None:
    """Look now and then, whenever the table has grown: another encoder may have come."""
    size = -1
    while True:
        size = await _looked(connect, schema, size)
        await asyncio.sleep(LOOK_S)


async def _looked(connect: Callable[[], Awaitable[Connection]], schema: str, before: int) -> int:
    """Build what is worth it, if the table has grown; return its size. Without an index every question has the exact scan."""
    try:
        connection = await connect()
    except PostgresUnreachable:
        return before
    try:
        row = await (await connection.execute(_GROWN, (f"{schema}.knowledge_vectors_v1",))).fetchone()
        size = int(row[0] or 0) if row else 0
        if size != before and size:
            await build(connection, schema)
        return size
    except (InvalidSchemaName, UndefinedTable, UndefinedObject):  # the generation was dropped: the next step ends us
        return before
    except OperationalError:  # no space or no memory, or the server went down: Postgres' own log says which
        return before
    finally:
        await connection.close()
