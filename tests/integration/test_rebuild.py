"""A rebuild beside the serving generation, on a real Kafka: nobody is refused, a kill changes nothing, changes are shipped."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from sqlalchemy import BigInteger, LargeBinary, MetaData, Table, Text

from bus.reader import Place
from events.task import TaskAdmitted
from events.topics import Names
from projections.catalog import PROJECTIONS, VIEWS, compared_of
from projections.column import key, once
from projections.disposal import discard, drop
from projections.errors import GenerationForeign, RebuildRefused
from projections.feature import TASK_FEATURES
from projections.feature import rows as feature_rows
from projections.fill import Pace
from projections.merge import Row
from projections.projection import Logged, Projection, compared, merging
from projections.rebuild import Wanted, Where, rebuild
from projections.runner import places
from projections.verify import verify
from projections.view import view_of
from projections.witness import Seen, Witness
from smolit.cli.rebuild import wanted_of
from smolit.client import ends
from smolit.process.roster import environment
from store.generation import generations, in_state, positions, serving
from store.migrate import check, upgrade
from store.postgres import Connection, connect
from store.tables import TABLES
from tests.builders import dead_letter, example, given, life, moment, registered
from tests.integration.memory_kit import TENANTS, Load, Process, publish
from tests.said import PATIENCE_S
from tests.stacks import Namespace

T = TypeVar("T")

ALL = Wanted("--all")
FACTS = [
    *(fact for number in range(30) for fact in life(f"task-{number}", at=number)),
    *(example(number / 30, task_id=f"task-{number}") for number in range(30)),
    *(given(1.0, f"task-{number}") for number in range(30)),
    registered(),
    dead_letter(),
]


async def test_nobody_is_refused_while_read_models_are_rebuilt_under_load(namespace: Namespace) -> None:
    """Tasks keep coming, readers keep reading, one of them very long: the new generation equals the old one, and serves."""
    async with _running(namespace), _connected(namespace) as connection:
        slow_reader = _blocked(namespace, "select count(*) from public.tasks")
        async with Load(namespace) as load, _witnesses(namespace, 4) as witnesses, slow_reader as slow:
            await slow.take()
            rebuilding = asyncio.ensure_future(rebuild(_where(namespace), ALL, _silent))
            await _until(lambda: _count(connection, _SHUT_OUT), bool)
            async with asyncio.timeout(PATIENCE_S):  # the switch waits for the slow reader, and nobody for long behind the switch
                seen = [await _tasks_of(connection) for _ in range(3)]
            await slow.release()
            found = await rebuilding
            before = load.tasks
            await _until(lambda: _tasks_of(connection), lambda count: count > before)
            await drop(namespace.postgres, "g1")
        await _caught_up(namespace, connection)
        verified = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))

        assert (found.state, found.generation, found.equal) == ("serving", "g2", True), found
        assert min(seen) >= 30
        seen_by = [one.seen for one in witnesses]
        assert [one.refused for one in seen_by] == [()] * 4
        assert sum(one.reads for one in seen_by) > 100
        assert max(one.longest_s for one in seen_by) < 15.0
        assert load.tasks / load.seconds >= 10
        assert verified.equal, [model for model in verified.models if not model.equal]
        assert (verified.generation, verified.records) == ("g2", len(FACTS) + 6 * load.tasks)
        assert await _tasks_of(connection) == 30 + load.tasks
        assert check(namespace.postgres) == []


async def test_a_witness_counts_who_is_refused(namespace: Namespace) -> None:
    """A view that is not there refuses whoever asks for it; all others answer, and the witness goes on."""
    upgrade(namespace.postgres)
    async with _connected(namespace) as connection, _witnesses(namespace, 1) as (witness,):
        await _until(lambda: _seen(witness), lambda seen: seen.reads > 2 * len(VIEWS))
        before = witness.seen.refused
        await connection.execute("alter view public.tasks rename to tasks_away")
        after = await _until(lambda: _seen(witness), lambda seen: len(seen.refused) > 1)

    assert before == ()
    assert all(one.startswith("tasks: UndefinedTable") for one in after.refused)
    assert after.reads > 2 * len(VIEWS)


async def test_a_rebuild_that_is_killed_goes_on_where_it_was(namespace: Namespace) -> None:
    """Killed inside a step, inside the switch, and after it: the old generation serves until then, nothing is lost or doubled."""
    async with _running(namespace), _connected(namespace) as connection:
        step = _blocked(namespace, _HELD.format("g2"))
        start = _blocked(namespace, _HELD.format("g1"))
        async with step as step_block, start as start_block, _child(namespace) as filling:
            await start_block.take()
            await _until(lambda: in_state(connection, "building"), lambda one: one is not None)
            await step_block.take()
            await start_block.release()
            await _until(lambda: _count(connection, _STUCK), bool)
            filling.kill()
        await publish(namespace, life("after the first kill"))
        unfilled = await positions(connection, "g2")

        async with _blocked(namespace, "select count(*) from public.tasks") as block, _child(namespace) as switching:
            await block.take()
            await _until(lambda: _count(connection, _SHUT_OUT), bool)
            switching.kill()
            filled, state = await positions(connection, "g2"), (await serving(connection)).name
        await publish(namespace, life("after the second kill"))

        async with _child(namespace) as switched:
            await _until(lambda: serving(connection), lambda one: one.name == "g2")
            switched.kill()
        await publish(namespace, life("after the third kill"))
        await _caught_up(namespace, connection)
        verified = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))

        assert (unfilled, state) == ({}, "g1")
        assert sum(filled.values()) >= len(FACTS)
        assert verified.equal, [model for one in (verified, *verified.others) for model in one.models if not model.equal]
        assert (verified.generation, verified.records) == ("g2", len(FACTS) + 18)
        assert [(one.name, one.state) for one in await generations(connection)] == [("g1", "retired"), ("g2", "serving")]


async def test_killed_between_two_batches_it_goes_on_behind_the_first(namespace: Namespace) -> None:
    """What was committed is not folded again, what was not is; in the end nothing is missing and nothing is there twice."""
    async with _running(namespace), _connected(namespace) as connection:
        await publish(namespace, [fact for number in range(260) for fact in life(f"more-{number}", at=number)])
        await _caught_up(namespace, connection)
        start, first, second = (_blocked(namespace, _HELD.format(name)) for name in ("g1", "g2", "g2"))
        async with start as start_block, first as first_block, second as second_block, _child(namespace) as filling:
            await start_block.take()
            await _until(lambda: in_state(connection, "building"), lambda one: one is not None)
            await first_block.take()
            await start_block.release()
            await _until(lambda: _count(connection, _STUCK), bool)
            in_line = asyncio.create_task(second_block.take())
            await _until(lambda: _count(connection, _IN_LINE), bool)
            await first_block.release()
            await in_line  # behind the first batch, before the last one
            filling.kill()
        filled = sum((await positions(connection, "g2")).values())
        await publish(namespace, life("after the kill"))
        await _caught_up(namespace, connection)
        found = await rebuild(_where(namespace), ALL, _silent)
        verified = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))

        assert 0 < filled < len(FACTS) + 6 * 260
        assert (found.generation, found.state, found.equal) == ("g2", "serving", True)
        assert found.records == len(FACTS) + 6 * 261 - filled
        assert verified.equal, [model for model in verified.models if not model.equal]


async def test_coming_level_may_take_too_long_and_is_tried_again(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine Postgres takes the serving generation's row away from the rebuild, so that live folding goes on."""
    async with _running(namespace), _connected(namespace) as connection:
        await rebuild(_where(namespace), Wanted("--all", switches=False), _silent)
        await publish(namespace, life("later"))
        await _caught_up(namespace, connection)
        monkeypatch.setattr("projections.rebuild._LEVEL_MS", 200)
        async with _blocked(namespace, _HELD.format("g2")) as block:
            await block.take()
            rebuilding = asyncio.ensure_future(rebuild(_where(namespace), ALL, _silent))
            await _until(lambda: _count(connection, _STUCK), bool)
            await asyncio.sleep(1.0)
            await block.release()
            found = await rebuilding

        assert (found.generation, found.state, found.equal) == ("g2", "serving", True)


async def test_a_changed_read_model_is_shipped_by_a_rebuild(namespace: Namespace) -> None:
    """Its new column stands in the stable view, for old facts and new ones; who folds the old release's way stops and says so."""
    changed = [_with_sizes() if one is TASK_FEATURES else one for one in PROJECTIONS]
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    old = Process(namespace)
    await old.reaches(lambda lag: lag == 0)

    found = await rebuild(_where(namespace, changed), ALL, _silent)
    await publish(namespace, life("later"))
    with pytest.raises(GenerationForeign, match="task_features"):
        await old.task
    new = Process(namespace, changed)
    await new.reaches(lambda lag: lag == 0)
    await new.stop()
    names = Names(namespace.topic_prefix)
    verified = await verify(namespace.kafka, namespace.postgres, names, compared_of(changed), changed)

    async with _connected(namespace) as connection:
        cursor = await connection.execute("select * from public.task_features")
        columns = [column.name for column in cursor.description or ()]
        sizes = [row[-1] for row in await cursor.fetchall()]
        refused = await _refusal(rebuild(_where(namespace), ALL, _silent))
        left = await in_state(connection, "building")
    assert (found.state, found.equal, found.changed) == ("serving", True, ("task_features",))
    assert columns == ["task_id", "tenant", "features_version", "embedding", "surface", "surface_bytes"]
    assert sizes == [2] * 31
    assert "task_features.surface_bytes" in refused
    assert left is None
    assert (verified.generation, verified.others) == ("g2", ())
    assert [one.name for one in verified.models if not one.equal] == ["task_features"]  # its naive twin is the old release's
    assert check(namespace.postgres) != []  # until this release's read models are the declared ones, too


async def test_who_runs_while_a_migration_adds_a_read_model_stops(namespace: Namespace) -> None:
    """It would go on without that read model: its next step writes nothing, and it says why."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    old = Process(namespace)
    await old.reaches(lambda lag: lag == 0)
    async with _connected(namespace) as connection:
        before = await positions(connection, "g1")
        await connection.execute('update ops.read_generation set shape = shape || \'{"more": "of a newer release"}\'')

        await publish(namespace, life("later"))
        with pytest.raises(GenerationForeign, match="more"):
            await old.task

        assert await positions(connection, "g1") == before


async def test_a_past_moment_is_kept_beside_and_never_serves(namespace: Namespace) -> None:
    """By records of each partition, by offsets, and by time: the state is what the log said then, for as long as one wants it."""
    upgrade(namespace.postgres)
    names = Names(namespace.topic_prefix)
    await publish(namespace, FACTS)
    then = await ends(namespace.kafka, places(names, TENANTS))
    time_then = await _between()
    await publish(namespace, life("later"))
    tasks = names.of(TaskAdmitted.event_type.topic)
    some = {place: min(end, 10) for place, end in then.items() if place[0] == tasks and end}
    told = ",".join(f"{topic}/{partition}={mark}" for (topic, partition), mark in some.items())

    kept = [await rebuild(_where(namespace), wanted_of(None, True, at, moment(0)), _silent) for at in (time_then, "10", told)]
    verified = await verify(namespace.kafka, namespace.postgres, names)

    async with _connected(namespace) as connection:
        at = [await positions(connection, one.generation) for one in kept]
        live = await serving(connection)
        (row,) = await (await connection.execute("select count(*) from g2.tasks where state = 'completed'")).fetchall()
        await drop(namespace.postgres, "g3")
        there = [one.name for one in await generations(connection)]
    assert [(one.generation, one.state, one.equal) for one in kept] == [(f"g{turn}", "kept", None) for turn in (2, 3, 4)]
    assert at[0] == _moved(then)
    assert at[1] == {place: min(end, 10) for place, end in _moved(await ends(namespace.kafka, places(names, TENANTS))).items()}
    assert {place: at[2][place] for place in some} == some
    assert (row[0], live.name, there) == (30, "g1", ["g1", "g2", "g4"])
    assert [(one.generation, one.equal) for one in verified.others] == [("g2", True), ("g3", True), ("g4", True)]


async def test_one_read_model_is_made_anew_and_nothing_else_is_touched(namespace: Namespace) -> None:
    """A table that went wrong is found by the comparison and put right on demand; no effect, no record, no outbox row."""
    async with _running(namespace):
        pass
    repair = Wanted("agent_performance", only="agent_performance")
    async with _connected(namespace) as connection:
        await connection.execute("update g1.agent_work_v1 set chosen = chosen + 1")
        before = await _outside(namespace, connection)

        doubted = await rebuild(_where(namespace), repair, _silent)
        other = await _refusal(rebuild(_where(namespace), ALL, _silent))
        looked = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))
        mended = await rebuild(_where(namespace), Wanted("agent_performance", only="agent_performance", accepts=True), _silent)
        after = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))

        assert (doubted.state, doubted.equal) == ("building", False)
        assert [model.name for model in doubted.models if not model.equal] == ["agent_work"]
        assert "not finished" in other
        assert [(one.generation, one.state, one.equal) for one in looked.others] == [("g2", "building", True)]
        assert not looked.equal
        assert (mended.state, mended.records) == ("serving", 0)
        assert after.models == looked.others[0].models
        assert await _outside(namespace, connection) == before
        assert "serves" in await _refusal(drop(namespace.postgres, "g2"))


async def test_a_rebuild_can_be_given_up(namespace: Namespace) -> None:
    """What was begun is dropped with its positions, its name is never used again, and a second rebuild at a time is refused."""
    async with _running(namespace):
        pass
    async with _connected(namespace) as connection:
        held = await rebuild(_where(namespace), Wanted("--all", switches=False), _silent)
        gone = await discard(namespace.postgres)
        left = await positions(connection, gone)
        nothing = await _refusal(discard(namespace.postgres))
        again = await rebuild(_where(namespace), ALL, _silent)
        schemas = await (await connection.execute("select nspname from pg_namespace where nspname ~ '^g[0-9]+$'")).fetchall()

        assert (held.state, held.equal, gone) == ("building", True, "g2")
        assert left == {}
        assert "no generation is being built" in nothing
        assert (again.generation, again.state) == ("g3", "serving")
        assert sorted(schemas) == [("g1",), ("g3",)]


@asynccontextmanager
async def _running(namespace: Namespace) -> AsyncIterator[None]:
    """Have the projections process run, at the end of a log with some history."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    process = Process(namespace)
    await process.reaches(lambda lag: lag == 0)
    try:
        yield
    finally:
        await process.stop()


@asynccontextmanager
async def _connected(namespace: Namespace) -> AsyncIterator[Connection]:
    """Yield a connection to look with."""
    connection = await connect(namespace.postgres, "tests")
    try:
        yield connection
    finally:
        await connection.close()


class Block:
    """A statement in an open transaction, which keeps its locks until it is released."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection, self._statement = connection, statement

    async def take(self) -> None:
        """Take the locks."""
        await self._connection.execute("begin")
        await self._connection.execute("set local idle_in_transaction_session_timeout = 0")
        await self._connection.execute(self._statement.encode())

    async def release(self) -> None:
        """Let go of them."""
        await self._connection.execute("rollback")


_HELD = "select from ops.read_generation where name = '{}' for update"
_STUCK = """
select count(*) from pg_stat_activity
where application_name = 'projection rebuild' and wait_event_type = 'Lock' and query like '%set_config%'"""
_IN_LINE = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'select from ops.read_generation%'"
)
_SHUT_OUT = "select count(*) from pg_locks where not granted and mode = 'AccessExclusiveLock'"


@asynccontextmanager
async def _blocked(namespace: Namespace, statement: str) -> AsyncIterator[Block]:
    """Yield a block that is released at the latest when the context ends."""
    async with _connected(namespace) as connection:
        yield Block(connection, statement)


@asynccontextmanager
async def _child(namespace: Namespace) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command in a process of its own; it is dead afterwards."""
    argv = (sys.executable, "-P", "-m", "smolit", "projection", "rebuild", "--all")
    nobody = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        *argv, stdout=nobody, stderr=nobody, env=environment(namespace.settings, os.environ)
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):  # it may have come to its end
            child.kill()
        await child.wait()


async def _until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Ask until the answer is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(found := await ask()):  # noqa: ASYNC110 nobody announces it
            await asyncio.sleep(0.02)
        return found


async def _caught_up(namespace: Namespace, connection: Connection) -> None:
    """Wait until the generation that serves is at the end of the log."""
    last = _moved(await ends(namespace.kafka, places(Names(namespace.topic_prefix), TENANTS)))

    async def stands() -> Mapping[Place, int]:
        return await positions(connection, (await serving(connection)).name)

    await _until(stands, lambda found: found == last)


async def _refusal(doing: Awaitable[object]) -> str:
    """Return why something was refused."""
    with pytest.raises(RebuildRefused) as refused:
        await doing
    return str(refused.value)


async def _outside(namespace: Namespace, connection: Connection) -> dict[str, object]:
    """Return what a rebuild must leave alone: the log, and every operational table but those that say how far it is."""
    names = [table.fullname for table in TABLES if table.name not in ("read_generation", "fold_position")]
    rows = {name: await _count(connection, f"select count(*) from {name}") for name in names}
    return {**rows, "log": await ends(namespace.kafka, places(Names(namespace.topic_prefix), TENANTS))}


@asynccontextmanager
async def _witnesses(namespace: Namespace, how_many: int) -> AsyncIterator[list[Witness]]:
    """Ask the public views all the while, on several connections."""

    async def connected() -> Connection:
        return await connect(namespace.postgres, "reader")

    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Witness(connected, 0.002, turn)) for turn in range(how_many)]


async def _seen(witness: Witness) -> Seen:
    return witness.seen


async def _tasks_of(connection: Connection) -> int:
    """Return how many tasks the stable view shows."""
    return await _count(connection, "select count(*) from public.tasks")


async def _count(connection: Connection, query: str) -> int:
    """Return the number that a query gives."""
    row = await (await connection.execute(query.encode())).fetchone()
    return int(row[0]) if row else 0


async def _between() -> str:
    """Return a time that is later than every record so far, and earlier than every one to come."""
    await asyncio.sleep(0.01)  # Kafka's times are whole milliseconds
    told = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.01)
    return told


def _moved(marks: Mapping[Place, int]) -> dict[Place, int]:
    """Return the partitions that hold anything."""
    return {place: mark for place, mark in marks.items() if mark}


def _where(namespace: Namespace, projections: Sequence[Projection] = PROJECTIONS) -> Where:
    """Return what a rebuild works on."""
    return Where(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix), TENANTS, projections)


def _silent(_pace: Pace) -> None:
    """Let nobody know."""


def _with_sizes() -> Projection:
    """Return the features as another release may have them: with a column more."""
    table = Table(
        "task_features_v2",
        MetaData(),
        key("task_id", Text, "id of the task"),
        once("tenant", Text, "whose task it is"),
        once("features_version", Text, "version of the features"),
        once("embedding", LargeBinary, "embedding of the text"),
        once("surface", LargeBinary, "surface features of the text"),
        once("surface_bytes", BigInteger, "how long the surface features are"),
        comment="What a policy may see of each task's text.",
    )

    def rows(logged: Logged) -> Iterator[Row]:
        for row, fact in zip(feature_rows(logged), [logged.event.fact], strict=True):
            assert isinstance(fact, TaskAdmitted)
            yield {**row, "surface_bytes": len(fact.context.features.surface)}

    view = view_of("task_features", table)
    return Projection(
        name="task_features",
        version=2,
        tables=(table,),
        views=(view,),
        reads=(TaskAdmitted,),
        compared=(compared(view, table),),
        write=merging(table, rows),
    )
