"""How fast, and how nearly exactly, a store of some size is searched."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from agents.vectors import Labelled
from bench.knowledge.corpus import TENANT, write
from bench.knowledge.store import PER_DOCUMENT, RARE, TENTH, facts, pieces, switched
from bench.spread import Range, bootstrapped, mean
from projections.column import SCHEMA
from projections.knowledge_index import build
from projections.knowledge_near import Question, by_meaning, exactly, written
from projections.knowledge_search import search
from projections.knowledge_wanted import Place, Wanted, pool_of
from projections.knowledge_words import by_words, every_word
from store.postgres import Connection

K = 10
_AT_A_TIME = 2_000
_FILTERS: dict[str, dict[str, str]] = {"": {}, ", a filter of 10 %": TENTH, ", a filter of 1 %": RARE}
# pgvector as its own documentation shows it: one table with nothing but vectors, one index as it comes.
_TABLE = """
create table plain as select document_id, version, chunk, embedding from g1.knowledge_vectors_v1;
create index on plain using hnsw (embedding halfvec_cosine_ops); analyze plain"""
_PLAIN = "select document_id, version, chunk from plain order by embedding <=> %s::halfvec(384) limit %s"
_HERE = ("127.0.0.1", "localhost", "::1", "")
Find = Callable[[Question], Awaitable[list[Place]]]


class Speed(Struct, frozen=True):
    """One way of searching at one size: recall@10 against looking at everything (None: there is no such), and milliseconds.

    `cpu_ms` is the median of what the processors worked for a question, in Postgres and here: other work on the machine hardly
    moves it, and without any other a question takes about as long. None: Postgres runs elsewhere.
    """

    pieces: int
    way: str
    recall: Range | None
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None
    fewest_hits: int


class _Asked(Struct, frozen=True):
    """What was found for each question, and the milliseconds that it and the processors took, in order of size."""

    found: list[list[Place]]
    took: list[float]
    worked: list[float]


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
    await connection.execute(_TABLE.encode(), prepare=False)


async def speeds(connection: Connection, encoder: Labelled, asked: Sequence[str], size: int) -> list[Speed]:
    """Return how each way does on some questions: by meaning against every vector, by words against every word of every piece."""
    questions = [Question(text, encoder.label, written(encoder.encode(text))) for text in asked]
    wanted = {name: Wanted(tenant=TENANT, k=K, meta=meta) for name, meta in _FILTERS.items()}
    then = msgspec.structs.replace(wanted[""], as_of=await _last(connection))

    async def words_exactly(connection: Connection, one: Question, wanted: Wanted, most: int) -> list[Place]:
        return await every_word(connection, one.text, wanted, most, await pool_of(connection, wanted))

    async def words(connection: Connection, one: Question, wanted: Wanted, most: int) -> list[Place]:
        return await by_words(connection, one.text, wanted, most)

    async def plain(one: Question) -> list[Place]:
        rows = await (await connection.execute(_PLAIN.encode(), (one.vector, K))).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    found: list[Speed] = []
    for name, which in wanted.items():
        exact, exact_words = _in_turn(connection, which, exactly), _in_turn(connection, which, words_exactly)
        near, said = await _asked(connection, exact, questions, 1), await _asked(connection, exact_words, questions, 1)
        found += [_speed(size, f"exact scan{name}", near, near), _speed(size, f"every word of every piece{name}", said, said)]
        ways: dict[str, tuple[Find, _Asked | None]] = {
            **({} if name else {"plain pgvector": (plain, near)}),
            "by meaning": (_in_turn(connection, which, by_meaning), near),
            "by words": (_in_turn(connection, which, words), said),
            "both": (_both(connection, which), None),
            **({} if name else {"both, as of an offset": (_both(connection, then), None)}),
        }
        for way, (find, truth) in ways.items():
            found.append(_speed(size, f"{way}{name}", await _asked(connection, find, questions, 2), truth))
    return found


async def _last(connection: Connection) -> int:
    """Return an offset behind everything that is there."""
    row = await (await connection.execute(b"select max(since) from public.knowledge_documents")).fetchone()
    return int(row[0]) if row else 0


def _both(connection: Connection, wanted: Wanted) -> Find:
    """Return the search as the product has it, on a connection that is there, without making the question's vector."""

    async def go(one: Question) -> list[Place]:
        return [(hit.document_id, hit.version, hit.chunk) for hit in await search(connection, one, wanted)]

    return go


def _in_turn(
    connection: Connection, wanted: Wanted, find: Callable[[Connection, Question, Wanted, int], Awaitable[list[Place]]]
) -> Find:
    """Return a search in a transaction of its own, for as many candidates as the product asks for, of which K count."""

    async def go(one: Question) -> list[Place]:
        async with connection.transaction():
            return (await find(connection, one, wanted, 5 * K))[:K]

    return go


async def _asked(connection: Connection, find: Find, questions: Sequence[Question], times: int) -> _Asked:
    """Ask each question so often; the last time counts, as in a store that is used."""
    found, took, worked = [], [], []
    for one in questions:
        for _ in range(times):
            began, idle = time.perf_counter(), cpu_ms(connection)
            places = await find(one)
            seconds, busy = time.perf_counter() - began, cpu_ms(connection)
        found.append(places)
        took.append(seconds * 1_000)
        worked += [] if idle is None or busy is None else [busy - idle]
    return _Asked(found, sorted(took), sorted(worked))


def cpu_ms(connection: Connection) -> float | None:
    """Return what the processors worked for this process and its server process, so far; None: that one is elsewhere.

    Source: https://docs.kernel.org/scheduler/sched-stats.html, /proc/PID/schedstat, whose first number is nanoseconds.
    """
    if connection.info.host not in _HERE:
        return None
    try:
        there = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text(encoding="ascii")
    except OSError:
        return None
    return time.process_time() * 1_000 + int(there.split()[0]) / 1_000_000


def _speed(size: int, way: str, asked: _Asked, truth: _Asked | None) -> Speed:
    """Return how a way did, beside what is right."""
    recalls = None
    if truth is not None:
        pairs = zip(asked.found, truth.found, strict=True)
        shares = [len(set(some) & set(right)) / len(right) if right else 1.0 for some, right in pairs]
        recalls = bootstrapped(shares, mean)
    took = asked.took
    p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
    cpu = asked.worked[len(asked.worked) // 2] if asked.worked else None
    return Speed(size, way, recalls, took[len(took) // 2], p99, cpu, min(map(len, asked.found)))
