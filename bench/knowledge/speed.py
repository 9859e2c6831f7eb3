"""How fast, and how nearly exactly, a store of some size is searched."""

import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from agents.vectors import Labelled
from bench.knowledge.corpus import TENANT, write
from bench.knowledge.store import PER_DOCUMENT, RARE, facts, pieces, switched
from bench.spread import Range, bootstrapped
from projections.column import SCHEMA
from projections.knowledge_index import build
from projections.knowledge_search import Place, Question, Wanted, by_meaning, exactly, search, written
from store.postgres import Connection

K = 10
_AT_A_TIME = 2_000
_PLAIN = """
select document_id, version, chunk from public.knowledge_vectors
where encoder = %s order by embedding <=> %s::halfvec(384) limit %s"""
Find = Callable[[Question], Awaitable[list[Place]]]


class Speed(Struct, frozen=True):
    """One way of searching at one size: recall@10 against the exact scan (None: it is not about vectors), and milliseconds."""

    pieces: int
    way: str
    recall: Range | None
    p50_ms: float
    p99_ms: float
    fewest_hits: int


async def fill(
    connection: Connection, encoder: Labelled, pool: Sequence[str], size: int, seed: int, say: Callable[[str], None]
) -> None:
    """Write a store of a size, and build its index if it is large enough."""
    await write(connection, [switched(encoder)])
    texts = list(pieces(pool, size, seed))
    for start in range(0, size, _AT_A_TIME):
        await write(connection, facts(texts[start : start + _AT_A_TIME], encoder, start // PER_DOCUMENT), 1 + start)
        if start % 20_000 == 0:
            say(f"{start} of {size} pieces written")
    await connection.execute(b"vacuum analyze g1.knowledge_vectors_v1, g1.knowledge_chunks_v1, g1.knowledge_documents_v1")
    await connection.execute(b"set maintenance_work_mem = '512MB'")
    say(f"indexes for {await build(connection, SCHEMA)}")


async def speeds(connection: Connection, encoder: Labelled, asked: Sequence[str], size: int) -> list[Speed]:
    """Return how each way does on some questions."""
    questions = [Question(text, encoder.label, written(encoder.encode(text))) for text in asked]
    everything, rare = Wanted(tenant=TENANT, k=K), Wanted(tenant=TENANT, k=K, meta=RARE)
    exact, exact_rare = _in_turn(connection, everything, exactly), _in_turn(connection, rare, exactly)
    truth = [await exact(one) for one in questions]
    truth_rare = [await exact_rare(one) for one in questions]

    async def both(one: Question, wanted: Wanted = everything) -> list[Place]:
        return [(hit.document_id, hit.version, hit.chunk) for hit in await search(connection, one, wanted)]

    async def both_rare(one: Question) -> list[Place]:
        return await both(one, rare)

    async def plain(one: Question) -> list[Place]:
        rows = await (await connection.execute(_PLAIN.encode(), (one.encoder, one.vector, K))).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    ways: dict[str, tuple[Find, list[list[Place]] | None]] = {
        "exact scan": (exact, truth),
        "plain pgvector, no filter": (plain, truth),
        "by meaning": (_in_turn(connection, everything, by_meaning), truth),
        "by meaning, a filter of 1 %": (_in_turn(connection, rare, by_meaning), truth_rare),
        "both": (both, None),
        "both, a filter of 1 %": (both_rare, None),
    }
    return [await _speed(size, way, find, questions, wanted) for way, (find, wanted) in ways.items()]


def _in_turn(
    connection: Connection, wanted: Wanted, find: Callable[[Connection, Question, Wanted, int], Awaitable[list[Place]]]
) -> Find:
    """Return a search in a transaction of its own, for as many candidates as the product asks for, of which K count."""

    async def go(one: Question) -> list[Place]:
        async with connection.transaction():
            return (await find(connection, one, wanted, 5 * K))[:K]

    return go


async def _speed(
    size: int, way: str, find: Find, questions: Sequence[Question], truth: Sequence[Sequence[Place]] | None
) -> Speed:
    """Ask each question twice; the second time counts, as in a store that is used."""
    found, took = [], []
    for one in questions:
        await find(one)
        began = time.perf_counter()
        found.append(await find(one))
        took.append((time.perf_counter() - began) * 1_000)
    ordered = sorted(took)
    recalls = None
    if truth is not None:
        shares = [len(set(some) & set(right)) / max(1, len(right)) for some, right in zip(found, truth, strict=True)]
        recalls = bootstrapped(shares, lambda sample: sum(sample) / len(sample))
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Speed(size, way, recalls, ordered[len(ordered) // 2], p99, min(map(len, found)))
