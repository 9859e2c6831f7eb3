"""A store that is too large to look at every piece: what is found, by which index, and the same as of an offset."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from events.event import Event, Fact
from projections.column import SCHEMA
from projections.knowledge import KNOWLEDGE
from projections.knowledge_index import build, name_of
from projections.knowledge_near import ENOUGH, Question, by_meaning, exactly, written
from projections.knowledge_search import search
from projections.knowledge_wanted import Place, Wanted
from projections.knowledge_words import by_words, every_word
from projections.projection import Logged
from smolit.stack.local import Endpoints
from store.generation import look
from store.migrate import check, upgrade
from store.postgres import Connection, connect
from tests.builders import TENANT, halves
from tests.knowledge import DOMAIN, ENCODER, added, chunked, of, switched
from tests.stacks import namespace_on

PER_DOCUMENT, QUESTIONS = 40, 12
COUNT = ENOUGH + 8 * PER_DOCUMENT
DOCUMENTS = COUNT // PER_DOCUMENT
RARE = {"rare": "yes"}
_SCANS = "select coalesce(sum(idx_scan), 0) from pg_stat_user_indexes where indexrelname = %s"


def cloud() -> NDArray[np.float32]:
    """Return clustered unit vectors."""
    drawn = np.random.default_rng(5)
    centres = drawn.normal(size=(60, 384))
    vectors = centres[drawn.integers(0, 60, COUNT)] + 0.7 * drawn.normal(size=(COUNT, 384))
    found: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


CLOUD = cloud()


def texts() -> list[str]:
    """Return the pieces: one word that all have, some that many have, and one that two have."""
    drawn = random.Random(5)
    return [f"common {' '.join(f'word{drawn.randint(0, 400)}' for _ in range(8))} pair{number // 2}" for number in range(COUNT)]


TEXTS = texts()


def told() -> list[Event[Fact]]:
    """Return the facts of all documents; two in a hundred are rare."""
    facts: list[Event[Fact]] = [switched()]
    for number in range(DOCUMENTS):
        name, start = f"{number}.txt", number * PER_DOCUMENT
        vectors = b"".join(halves(one) for one in CLOUD[start : start + PER_DOCUMENT].tolist())
        facts.append(chunked(name, TEXTS[start : start + PER_DOCUMENT], vectors={ENCODER: vectors}))
        facts.append(added(name, at=number, chunks=PER_DOCUMENT, meta=RARE if number % 50 == 0 else {}))
    return facts


LAST = 2 * DOCUMENTS


def place(piece: int) -> Place:
    """Return where a piece lies."""
    return of(f"{piece // PER_DOCUMENT}.txt"), 1, piece % PER_DOCUMENT


def near(piece: int) -> Question:
    """Return a question whose vector is close to a piece's."""
    moved = CLOUD[piece] + 0.02 * np.random.default_rng(piece).normal(size=384)
    return Question(TEXTS[piece], ENCODER, written(moved.astype(np.float32)))


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the store in it, and its indexes built aside."""
    with namespace_on(stack, tmp_path_factory.mktemp("pieces")) as mine:
        upgrade(mine.postgres)
        asyncio.run(_fill(mine.postgres))
        yield mine.postgres


async def _fill(dsn: str) -> None:
    async with await connect(dsn, "tests") as connection:
        async with connection.transaction():
            await look(connection, SCHEMA)
            await KNOWLEDGE.apply(connection, [Logged(event, "knowledge", 0, offset) for offset, event in enumerate(told())])
            await connection.execute("set local search_path to default")
        await connection.execute("analyze g1.knowledge_vectors_v1, g1.knowledge_chunks_v1, g1.knowledge_documents_v1")
        assert await build(connection, SCHEMA) == [ENCODER]


@pytest.fixture
async def reader(dsn: str) -> AsyncIterator[Connection]:
    """A connection, used for one question after the other as by an agent."""
    async with await connect(dsn, "tests") as connection:
        yield connection


async def scans(connection: Connection) -> int:
    """Return how often the index of vectors was used, so far."""
    await connection.execute("select pg_stat_force_next_flush()")
    await connection.execute("select pg_stat_clear_snapshot()")
    row = await (await connection.execute(_SCANS, (name_of(ENCODER),))).fetchone()
    return int(row[0]) if row else 0


async def test_every_question_goes_by_the_index_however_many_came_before(reader: Connection) -> None:
    """A statement that was prepared gets a plan for all its parameters after some rounds: it has to be one by the index, too."""
    before, hits = await scans(reader), 0
    for number in range(QUESTIONS):
        question, wanted = near(number * 7), Wanted(tenant=TENANT)
        async with reader.transaction():
            found = await by_meaning(reader, question, wanted, 10)
        async with reader.transaction():
            hits += len(set(found) & set(await exactly(reader, question, wanted, 10)))

    assert hits / (10 * QUESTIONS) >= 0.95
    assert await scans(reader) - before == QUESTIONS


@pytest.mark.parametrize("how", [{"meta": RARE}, {"as_of": LAST}], ids=["few pass", "as of an offset"])
async def test_where_few_pass_or_as_of_earlier_every_piece_is_compared(reader: Connection, how: dict[str, object]) -> None:
    """Nothing that is near is missed."""
    wanted = Wanted(tenant=TENANT, **how)  # type: ignore[arg-type]
    rare = [piece for piece in range(COUNT) if piece // PER_DOCUMENT % 50 == 0]
    question = near(rare[7])
    pieces = rare if "meta" in how else range(COUNT)
    asked = np.array([float(one) for one in (question.vector or "")[1:-1].split(",")])
    stored = CLOUD.astype(np.float16).astype(np.float64)
    cosines = stored @ asked / np.linalg.norm(stored, axis=1)

    async with reader.transaction():
        found = await by_meaning(reader, question, wanted, 10)

    assert found == [place(piece) for piece in sorted(pieces, key=lambda piece: -cosines[piece])[:10]]


async def test_the_rarest_words_find_their_pieces_first(reader: Connection) -> None:
    """A word that two pieces have brings both to the top, whatever all the others have."""
    for piece in (0, 1_234, 5_000):
        async with reader.transaction():
            found = await by_words(reader, f"common word1 pair{piece // 2}", Wanted(tenant=TENANT), 50)

        assert set(found[:2]) == {place(piece // 2 * 2), place(piece // 2 * 2 + 1)}


async def test_words_find_what_reading_every_piece_finds(reader: Connection) -> None:
    """Eight of the best ten are those that all words of all pieces give; as of the last offset all fifty are the same."""
    shared = 0
    for piece in range(0, 4_000, 400):
        async with reader.transaction():
            found = await by_words(reader, TEXTS[piece], Wanted(tenant=TENANT), 50)
            then = await by_words(reader, TEXTS[piece], Wanted(tenant=TENANT, as_of=LAST), 50)
            best = await every_word(reader, TEXTS[piece], Wanted(tenant=TENANT), 10, COUNT)
        shared += len(set(found[:10]) & set(best))

        assert then == found

    assert shared >= 80


async def test_a_word_that_all_pieces_have_finds_some(reader: Connection) -> None:
    """It is looked up in a sixteenth of the pieces alone; filters hold there, too."""
    async with reader.transaction():
        found = await by_words(reader, "common", Wanted(tenant=TENANT), 50)
        none = await by_words(reader, "common", Wanted(tenant=TENANT, domains=("elsewhere",)), 50)

    assert (len(found), none) == (50, [])


async def test_both_ways_together_find_the_piece(reader: Connection) -> None:
    """Domain and rank stand with the hit; a second question on the same connection is answered as the first."""
    for _ in range(2):
        hits = await search(reader, near(777), Wanted(tenant=TENANT, k=3))

        assert (hits[0].document_id, hits[0].version, hits[0].chunk) == place(777)
        assert (hits[0].domain, hits[0].by_meaning, hits[0].by_words) == (DOMAIN, 1, 1)


def test_what_is_built_aside_is_no_drift(dsn: str) -> None:
    """The migrations' check knows both indexes."""
    assert check(dsn) == []
