"""Past tasks are found by likeness, on a real Postgres: as many as were asked for, nearly the nearest, never a deleted one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from math import inf, nan

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import AsyncConnection

from events.event import Event, Fact
from events.topics import Names
from projections.catalog import PROJECTIONS, tables_of
from projections.column import SCHEMA
from projections.disposal import drop
from projections.errors import VectorUnfit
from projections.generation import make, switch, take_over
from projections.projection import Logged
from projections.rebuild import Wanted as AsWanted
from projections.rebuild import Where, rebuild
from projections.shape import shape_of
from projections.similar import SIMILAR_TASKS, Like, Vector, Wanted, exactly, like, vector_of, vector_of_task
from projections.similar_index import ENOUGH, NEAREST, build, tended
from projections.verify import read_live, verify
from smolit.stack.local import Endpoints
from store.generation import generations, look
from store.migrate import check, downgrade, upgrade
from store.postgres import Connection, connect
from tests.builders import (
    NAMES,
    TENANT,
    Log,
    admitted,
    chosen,
    context,
    ended,
    example,
    features,
    forgotten,
    halves,
    submitted,
)
from tests.histories import history
from tests.integration.memory_kit import TENANTS, Process, publish
from tests.memory import remember
from tests.said import PATIENCE_S
from tests.stacks import Namespace, namespace_on

MANY, CLUSTERS, QUESTIONS = 3_000, 40, 40
RARE_EVERY = 100
_COUNT_SCANS = "select coalesce(sum(idx_scan), 0) from pg_stat_user_indexes where indexrelname = %s"


def cloud() -> NDArray[np.float64]:
    """Return clustered unit vectors, as texts of a few dozen subjects have them."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(CLUSTERS, 384))
    vectors = centres[random.integers(0, CLUSTERS, MANY)] + 0.7 * random.normal(size=(MANY, 384))
    found: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


CLOUD = cloud()


def task(number: int, **fields: object) -> Event[Fact]:
    """Return the admission of a task with a vector of the cloud; one in a hundred is of a rare kind."""
    kind = "rare" if number % RARE_EVERY == 0 else "common"
    seen = context(kind=kind, features=features(embedding=halves(CLOUD[number])))
    return admitted(f"task-{number}", number, context=seen, **fields)


def logged(*events: Event[Fact]) -> list[Logged]:
    """Return facts with places."""
    return [Logged(event, NAMES.of(event.fact.event_type.topic), 0, place) for place, event in enumerate(events)]


async def take_in(connection: Connection, facts: list[Logged]) -> None:
    """Write facts as a step does: turned to the generation, and to nothing else."""
    async with connection.transaction():
        await look(connection, SCHEMA)
        await SIMILAR_TASKS.apply(connection, facts)
        await connection.execute("set local search_path to default")


def near(number: int, seed: int = 1) -> Vector:
    """Return a vector close to one of the cloud."""
    moved = CLOUD[number] + 0.02 * np.random.default_rng(seed + number).normal(size=384)
    return vector_of(halves(moved), "test-1")


def ids(found: list[Like]) -> list[str]:
    """Return the ids of tasks."""
    return [one.task_id for one in found]


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the cloud in it, and the index over it built aside."""
    with namespace_on(stack, tmp_path_factory.mktemp("similar")) as mine:
        upgrade(mine.postgres)
        asyncio.run(_fill(mine.postgres))
        yield mine.postgres


async def _fill(dsn: str) -> None:
    async with await connect(dsn, "tests") as connection:
        await take_in(connection, logged(*(task(number) for number in range(MANY))))
        await connection.execute("analyze g1.similar_tasks_v1")
        assert not await build(connection, SCHEMA), f"below {ENOUGH} vectors the exact scan is as fast"
        assert await build(connection, SCHEMA, enough=MANY)


@pytest.fixture
async def reader(dsn: str) -> AsyncIterator[Connection]:
    """A connection; what a test writes on it is undone."""
    connection = await connect(dsn, "tests")
    try:
        async with connection.transaction(force_rollback=True):
            yield connection
    finally:
        await connection.close()


@pytest.fixture
async def indexed(dsn: str) -> AsyncIterator[Connection]:
    """A connection that prefers the index; with so few vectors the planner rightly looks at all of them."""
    async with await connect(dsn, "tests") as connection:
        await connection.execute("set enable_seqscan = off")
        await connection.execute("set enable_sort = off")
        yield connection


async def scans(connection: Connection) -> int:
    """Return how often the index was used, so far."""
    await connection.execute("select pg_stat_force_next_flush()")
    await connection.execute("select pg_stat_clear_snapshot()")
    row = await (await connection.execute(_COUNT_SCANS, (NEAREST,))).fetchone()
    return int(row[0]) if row else 0


async def test_the_index_finds_nearly_all_that_the_exact_scan_finds(indexed: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recall of the ten nearest is .95 or better, and it is the index alone that finds them."""

    async def not_meant(*_: object) -> list[Like]:
        raise AssertionError("the index ran dry")

    monkeypatch.setattr("projections.similar.exactly", not_meant)
    before, hits = await scans(indexed), 0
    for number in range(QUESTIONS):
        question = near(number * 7)
        found = await like(indexed, question, Wanted(tenant=TENANT))
        hits += len(set(ids(found)) & set(ids(await exactly(indexed, question, Wanted(tenant=TENANT)))))

    assert hits / (10 * QUESTIONS) >= 0.95
    assert await scans(indexed) - before == QUESTIONS


async def test_the_exact_scan_is_exact(reader: Connection) -> None:
    """What everything else is compared with agrees with plain arithmetic over the same numbers."""
    question = near(123)
    numbers = np.array([float(number) for number in question.text[1:-1].split(",")])
    stored = CLOUD.astype(np.float16).astype(np.float64)
    cosines = stored @ numbers / np.linalg.norm(stored, axis=1) / np.linalg.norm(numbers)

    found = await exactly(reader, question, Wanted(tenant=TENANT))

    assert ids(found) == [f"task-{number}" for number in np.argsort(-cosines)[:10]]
    assert [one.cosine for one in found] == pytest.approx(sorted(cosines)[:-11:-1], abs=1e-4)


@pytest.mark.parametrize("by_index", [False, True], ids=["as the planner likes", "by the index"])
async def test_a_filter_that_keeps_one_in_a_hundred_still_returns_k(
    reader: Connection, indexed: Connection, by_index: bool
) -> None:
    """Ten of the rare kind come back, and they are the nearest of it, whichever way they were found."""
    connection = indexed if by_index else reader
    hits = 0
    for number in range(10):
        question, wanted = near(number * 31), Wanted(tenant=TENANT, kind="rare", scope="default")
        found = await like(connection, question, wanted)
        assert (len(found), {one.kind for one in found}) == (10, {"rare"})
        hits += len(set(ids(found)) & set(ids(await exactly(connection, question, wanted))))

    assert hits >= 95


async def test_an_index_that_gives_up_too_soon_is_made_up_for(indexed: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the index gives fewer than k that pass the filter, k come back all the same: the exact scan finds them."""
    monkeypatch.setattr("projections.similar._BY_INDEX", ("set local hnsw.iterative_scan = off",))
    plain = "select task_id from g1.similar_tasks_v1 where kind = 'rare' order by embedding <=> %s::halfvec(384) limit 10"
    alone = await (await indexed.execute(plain, (near(5).text,))).fetchall()

    found = await like(indexed, near(5), Wanted(tenant=TENANT, kind="rare"))

    assert len(alone) < 10
    assert ids(found) == ids(await exactly(indexed, near(5), Wanted(tenant=TENANT, kind="rare")))
    assert len(found) == 10


async def test_where_there_are_fewer_than_k_all_of_them_come(reader: Connection) -> None:
    """Thirty tasks are of the rare kind, and no more are made up."""
    assert len(await like(reader, near(5), Wanted(tenant=TENANT, kind="rare", k=50))) == MANY // RARE_EVERY
    assert await like(reader, near(5), Wanted(tenant=TENANT, kind="unheard-of")) == []


async def test_nobody_finds_another_tenants_tasks_or_vectors_of_another_encoder(reader: Connection) -> None:
    """Neither who asks nor what made the vector is mixed up."""
    stranger = Vector(near(5).text, "another-1")

    assert await like(reader, near(5), Wanted(tenant="stranger")) == []
    assert await like(reader, stranger, Wanted(tenant=TENANT)) == []


async def test_a_task_is_most_like_itself_unless_it_is_not_meant(reader: Connection) -> None:
    """Its own vector finds it first with cosine 1; who compares a task with others leaves it out."""
    own = await vector_of_task(reader, TENANT, "task-77")
    assert own is not None

    found = await like(reader, own, Wanted(tenant=TENANT))
    others = await like(reader, own, Wanted(tenant=TENANT, but="task-77"))

    assert (found[0].task_id, found[0].cosine) == ("task-77", pytest.approx(1.0, abs=1e-3))
    assert ids(others)[:9] == ids(found)[1:]


@pytest.mark.parametrize("again", [False, True], ids=["once", "admitted again"])
async def test_a_forgotten_task_is_never_returned(reader: Connection, again: bool) -> None:
    """From the moment it is forgotten nobody finds it, by index or by looking at all, and its vector is gone."""
    question = near(77)
    gone = ids(await like(reader, question, Wanted(tenant=TENANT)))[:3]
    numbers = [int(name.removeprefix("task-")) for name in gone]

    await take_in(reader, logged(*(forgotten(name) for name in gone), *(task(one) for one in numbers if again)))

    for ask in (like, exactly):
        found = await ask(reader, question, Wanted(tenant=TENANT))
        assert len(found) == 10
        assert not set(gone) & set(ids(found))
    query = "select count(*), count(embedding) from g1.similar_tasks_v1 where task_id = any(%s)"
    assert await (await reader.execute(query, (gone,))).fetchone() == (3, 0)
    assert await vector_of_task(reader, TENANT, gone[0]) is None


async def test_another_tenants_word_forgets_nothing(reader: Connection) -> None:
    """A stranger who names a task touches a row of its own."""
    await take_in(reader, logged(forgotten("task-77", tenant="stranger")))

    assert await vector_of_task(reader, TENANT, "task-77") is not None


UNFIT = {
    "wrong_width": halves([1.0] * 383),
    "not_finite": halves([nan, *[1.0] * 383]),
    "zero_length": halves([0.0] * 384),
}


@pytest.mark.parametrize("reason", UNFIT)
async def test_a_vector_that_cannot_be_compared_is_refused_and_counted(reader: Connection, reason: str) -> None:
    """Nothing of it is stored, and somebody can see how often it happened; who asks with one is told why."""
    bad = context(features=features(embedding=UNFIT[reason]))

    await take_in(reader, logged(admitted("bad-1", context=bad), admitted("bad-2", context=bad)))

    cursor = await reader.execute("select reason, refused from similar_tasks_refused")
    assert await cursor.fetchall() == [(reason, 2)]
    assert await vector_of_task(reader, TENANT, "bad-1") is None
    with pytest.raises(VectorUnfit, match=reason):
        vector_of(UNFIT[reason], "test-1")


@pytest.mark.parametrize("number", [inf, -inf])
def test_an_infinite_number_is_refused(number: float) -> None:
    """Infinities have no direction either, also where they would cancel out."""
    with pytest.raises(VectorUnfit, match="not_finite"):
        vector_of(halves([number, -number, *[1.0] * 382]), "test-1")


async def test_it_is_told_how_like_tasks_went(namespace: Namespace) -> None:
    """Agent, outcome and reward are the last attempt's; what nobody judged has no reward."""
    upgrade(namespace.postgres)
    told = context(features=features(embedding=halves(CLOUD[0])))
    facts = [
        *(submitted("one", text="what is asked"), admitted("one", context=told), chosen("anna", "one", context=told)),
        *(example(0.0, "anna", "one"), chosen("bert", "one", 2, context=told), example(0.75, "bert", "one", 2)),
        *(ended("completed", "one"), submitted("two"), admitted("two", context=told)),
    ]
    await remember(namespace.postgres, [Log().add(*facts).records])
    async with await connect(namespace.postgres, "tests") as connection:
        found = {one.task_id: one for one in await like(connection, near(0), Wanted(tenant=TENANT, scope="default"))}

        one, two = found["one"], found["two"]
        assert (one.agent, one.outcome, one.reward, one.text) == ("bert", "completed", 0.75, "what is asked")
        assert (two.agent, two.outcome, two.reward) == (None, None, None)


async def test_an_index_left_unfinished_is_made_anew(namespace: Namespace) -> None:
    """Who is killed while building leaves an index that nobody may use; the next one drops it, and the schema is as declared."""
    upgrade(namespace.postgres)
    async with await connect(namespace.postgres, "tests") as connection:
        await take_in(connection, logged(*(task(number) for number in range(20))))
        assert await build(connection, SCHEMA, enough=20)
        await connection.execute(f"update pg_index set indisvalid = false where indexrelid = 'g1.{NEAREST}'::regclass")

        assert await build(connection, SCHEMA, enough=20)

        query = "select bool_and(indisvalid), count(*) from pg_index where indrelid = 'g1.similar_tasks_v1'::regclass"
        assert await (await connection.execute(query)).fetchone() == (True, 3)
        assert check(namespace.postgres) == []


async def test_the_index_is_built_while_the_projections_go_on(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it: it is there a moment after there are enough vectors, made on a connection of its own."""
    upgrade(namespace.postgres)
    monkeypatch.setattr("projections.similar_index.LOOK_S", 0.05)
    monkeypatch.setattr("projections.similar_index.build", lambda connection, schema: build(connection, schema, enough=20))
    async with (
        await connect(namespace.postgres, "tests") as connection,
        tended(lambda: connect(namespace.postgres, "tests"), SCHEMA),
    ):
        await take_in(connection, logged(*(task(number) for number in range(20))))
        async with asyncio.timeout(PATIENCE_S):
            await _comes(connection, SCHEMA)


async def test_each_generation_gets_an_index_of_its_own(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a switch the one that serves now is looked after, and it is the one that questions go to."""
    upgrade(namespace.postgres)
    monkeypatch.setattr("projections.similar_index.LOOK_S", 0.05)
    monkeypatch.setattr("projections.similar_index.build", lambda connection, schema: build(connection, schema, enough=20))
    await publish(namespace, [task(number) for number in range(20)])
    process = Process(namespace)
    async with await connect(namespace.postgres, "tests") as connection, asyncio.timeout(PATIENCE_S):
        await _comes(connection, SCHEMA)
        where = Where(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix), TENANTS)
        found = await rebuild(where, AsWanted("--all"), lambda _: None)
        await drop(namespace.postgres, SCHEMA)  # before the process has noticed that it no longer serves
        await publish(namespace, [task(number) for number in range(20, 40)])
        await _comes(connection, "g2")
        await process.reaches(lambda lag: lag == 0)
        await process.stop()

        verified = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))
        nearest = await like(connection, near(39), Wanted(tenant=TENANT, k=1))

    assert (found.state, found.equal) == ("serving", True)
    assert verified.equal
    assert ids(nearest) == ["task-39"]
    assert check(namespace.postgres) == []


async def _comes(connection: Connection, schema: str) -> None:
    """Wait for the index of a generation."""
    while not await _is_there(connection, schema):  # noqa: ASYNC110 Postgres is asked, nobody announces it
        await asyncio.sleep(0.05)


async def _is_there(connection: AsyncConnection[tuple[object, ...]], schema: str) -> bool:
    query = "select coalesce((select indisvalid from pg_index where indexrelid = to_regclass(%s)), false)"
    row = await (await connection.execute(query, (f"{schema}.{NEAREST}",))).fetchone()
    return bool(row and row[0])


async def test_a_database_that_has_tasks_already_gets_their_vectors(namespace: Namespace) -> None:
    """The migration reads what the event log holds, and comes to the same rows as the projections."""
    upgrade(namespace.postgres)
    by_projections = await remember(namespace.postgres, [history(seed=31)])
    downgrade(namespace.postgres, "0004")
    upgrade(namespace.postgres)
    async with await connect(namespace.postgres, "tests") as connection:
        by_migration = await read_live(connection)
        for name in ("similar_tasks", "similar_tasks_refused"):
            assert by_migration.tables[name] == by_projections.tables[name] != {}


async def test_every_generation_gets_the_vectors_that_its_log_holds(namespace: Namespace) -> None:
    """The one that served before and the one that serves now: each is of our shape afterwards, and holds what that says."""
    upgrade(namespace.postgres)
    by_projections = await remember(namespace.postgres, [history(seed=31)])
    async with await connect(namespace.postgres, "tests") as connection:
        async with connection.transaction():
            await make(connection, PROJECTIONS, "--all")
            await take_over(connection, SCHEMA, "g2", tables_of(PROJECTIONS))
            await switch(connection, SCHEMA, "g2", PROJECTIONS)
        downgrade(namespace.postgres, "0004")
        upgrade(namespace.postgres)

        there = await generations(connection)
        by_migration = [await read_live(connection, one.name) for one in there]
        (in_public,) = await (await connection.execute("select count(*) from public.task_vectors")).fetchall()
        (in_g2,) = await (await connection.execute("select count(*) from g2.task_vectors")).fetchall()

    assert [(one.name, one.shape) for one in there] == [(SCHEMA, shape_of(PROJECTIONS)), ("g2", shape_of(PROJECTIONS))]
    for name in ("similar_tasks", "similar_tasks_refused"):
        assert [live.tables[name] for live in by_migration] == [by_projections.tables[name]] * 2
    assert in_public == in_g2 != (0,)
    assert check(namespace.postgres) == []
