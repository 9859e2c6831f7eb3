"""Migrations: up, down, up again, and nothing in the schema that is not declared, or declared and not there."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from projections.catalog import PROJECTIONS, VIEWS
from projections.errors import RebuildRefused
from projections.generation import make, remove, switch
from projections.view import ANALYST
from smolit.stack.local import Endpoints
from store.errors import PostgresUnreachable
from store.generation import generations
from store.migrate import check, current, downgrade, head, upgrade
from store.postgres import Connection, connect
from store.tables import METADATA, TABLES
from tests.stacks import Namespace, namespace_on

_UNCOMMENTED = """
select c.oid::regclass::text, a.attname from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('ops', 'g1', 'public')
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname <> 'alembic_version'
  and col_description(c.oid, a.attnum) is null
union all
select c.oid::regclass::text, null from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('ops', 'g1', 'public')
where c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname <> 'alembic_version'
  and obj_description(c.oid, 'pg_class') is null"""
_OURS = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('ops', 'g1', 'public') and c.relkind in ('r', 'p', 'v') order by 1"""


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database for the tests of this module that only look."""
    with namespace_on(stack, tmp_path_factory.mktemp("migrations")) as mine:
        upgrade(mine.postgres)
        yield mine.postgres


def test_up_down_and_up_again_leave_the_same_schema(namespace: Namespace) -> None:
    """Going down leaves nothing of ours, and going up again makes what was there."""
    dsn = namespace.postgres
    assert current(dsn) is None
    upgrade(dsn)
    first = _relations(dsn)

    downgrade(dsn, "base")
    below = _relations(dsn)
    upgrade(dsn)

    assert below == ["ops.alembic_version"]
    assert _relations(dsn) == first
    assert current(dsn) == head() is not None


def test_the_schema_is_what_is_declared(dsn: str) -> None:
    """`alembic check` finds no difference: tables, columns, indexes, comments, views."""
    assert check(dsn) == []


def test_queues_are_vacuumed_often_however_large_they_are(dsn: str) -> None:
    """After so many dead rows, not after a share of the table; and with their indexes, which are what grows."""
    query = "select relname, reloptions from pg_class where relnamespace = 'ops'::regnamespace and reloptions is not null"
    with psycopg.connect(dsn) as connection:
        told = {str(name): set(options) for name, options in connection.execute(query).fetchall()}

    often = {"autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=2000", "vacuum_index_cleanup=on"}
    assert told == dict.fromkeys(("outbox", "work_attempt", "work_task"), often)


@pytest.mark.parametrize(
    "change",
    [
        "alter table g1.tasks_v1 add column extra text",
        "comment on column g1.tasks_v1.outcome is 'something else'",
        "comment on column public.tasks.outcome is 'something else'",
        "drop view public.experiment_results",
        "drop index ops.outbox_unpublished",
        "create or replace view public.agent_rewards as select 1 as one; drop view public.tasks",
    ],
)
def test_a_schema_that_was_changed_by_hand_is_noticed(namespace: Namespace, change: str) -> None:
    """Whatever drifts, the check names it."""
    upgrade(namespace.postgres)
    with psycopg.connect(namespace.postgres) as connection:
        connection.execute(change.encode())

    assert check(namespace.postgres) != []


async def test_what_is_declared_is_compared_with_the_generation_that_serves(namespace: Namespace) -> None:
    """A generation that code made is what migrations would have made, with the old one gone, too; and going down still works."""
    dsn = namespace.postgres
    upgrade(dsn)
    first = _relations(dsn)
    connection = await connect(dsn, "tests")
    try:
        await _next_generation(connection, "g1", "g2")
        await _next_generation(connection, "g2", "g3")
        beside = check(dsn)
        before = {one.name: one for one in await generations(connection)}
        async with connection.transaction():
            await remove(connection, before["g1"])
    finally:
        await connection.close()
    alone = check(dsn)
    downgrade(dsn, "base")
    below = _relations(dsn)
    upgrade(dsn)

    assert (beside, alone) == ([], [])
    assert below == ["ops.alembic_version"]
    assert _relations(dsn) == first


async def test_a_generation_that_somebody_uses_is_not_dropped(namespace: Namespace) -> None:
    """A view of somebody's own on its tables is named, and everything stays."""
    upgrade(namespace.postgres)
    connection = await connect(namespace.postgres, "tests")
    try:
        await _next_generation(connection, "g1", "g2")
        await connection.execute("create view public.mine as select task_id from g1.tasks_v1")
        old = next(one for one in await generations(connection) if one.name == "g1")
        with pytest.raises(RebuildRefused, match=r"view mine"):
            async with connection.transaction():
                await remove(connection, old)
        rows = await (await connection.execute("select * from g1.tasks_v1")).fetchall()
    finally:
        await connection.close()

    assert rows == []


def test_an_empty_database_gets_the_read_models_of_today(namespace: Namespace) -> None:
    """What migrations made is made anew where this release declares something else, as long as nothing was folded."""
    upgrade(namespace.postgres)
    with psycopg.connect(namespace.postgres) as connection:
        connection.execute("alter table g1.tasks_v1 drop column attempts cascade")
        connection.execute("update ops.read_generation set shape = jsonb_set(shape, '{tasks}', '\"older\"')")
    before = check(namespace.postgres)

    upgrade(namespace.postgres)
    after = check(namespace.postgres)
    with psycopg.connect(namespace.postgres) as connection:
        connection.execute("alter table g1.tasks_v1 drop column attempts cascade")
        connection.execute("update ops.read_generation set shape = jsonb_set(shape, '{tasks}', '\"older\"')")
        connection.execute("insert into ops.fold_position values ('projections.g1', 'tasks', 0, 1)")
    upgrade(namespace.postgres)

    assert before != []
    assert after == []
    assert check(namespace.postgres) != []


async def _next_generation(connection: Connection, old: str, new: str) -> None:
    """Make the next generation, and let it serve."""
    async with connection.transaction():
        await make(connection, PROJECTIONS, "--all")
        await switch(connection, old, new, PROJECTIONS)


def test_every_table_view_and_column_is_commented(dsn: str) -> None:
    """Who looks at the schema finds a sentence beside everything."""
    with psycopg.connect(dsn) as connection:
        assert connection.execute(_UNCOMMENTED).fetchall() == []


def test_every_operational_table_is_listed() -> None:
    """A table that migrations do not see would be missing in production."""
    assert {table.name for table in TABLES} == {table.name for table in METADATA.tables.values()}


def test_analysts_read_views_and_nothing_else(dsn: str) -> None:
    """The analyst role sees every view, no table behind them, and writes nowhere."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"set role {ANALYST}".encode())
        for view in VIEWS:
            connection.execute(f"select * from public.{view.name} limit 1".encode())
        for forbidden in _FORBIDDEN:
            with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)):
                connection.execute(forbidden.encode())


_FORBIDDEN = (
    "select * from g1.tasks_v1",
    "select * from ops.outbox",
    "insert into public.tasks (task_id) values ('x')",
    "delete from public.dead_letters",
    "update public.agents set reason = ''",
    "create table public.mine (id int)",
)


def test_migrations_say_when_nobody_answers() -> None:
    """A wrong address is one sentence that a person can act on."""
    with pytest.raises(PostgresUnreachable, match=re.escape("smolit up")):
        upgrade("host=127.0.0.1 port=1 dbname=nowhere")


def _relations(dsn: str) -> list[str]:
    """Return every table and view of ours."""
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute(_OURS)]
