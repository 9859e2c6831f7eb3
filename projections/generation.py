"""The schema of a generation, by code: made from the declared tables, put in the place of another one, taken away."""

from collections.abc import Iterable, Mapping, Sequence

from psycopg.errors import DependentObjectsStillExist, InvalidTableDefinition, UndefinedColumn
from sqlalchemy import MetaData, Table, create_mock_engine
from sqlalchemy.dialects import postgresql

from projections import event_log
from projections.catalog import tables_of, views_of
from projections.errors import RebuildRefused
from projections.projection import Projection
from projections.shape import shape_of
from projections.view import ANALYST, View
from store import generation
from store.generation import Generation
from store.postgres import Connection

# Columns of public views that the same view of a new generation lacks, or has with another type.
_LOST = """
select old.relname || '.' || was.attname
from pg_class old join pg_attribute was on was.attrelid = old.oid and was.attnum > 0 and not was.attisdropped
left join pg_class new on new.relname = old.relname and new.relkind = 'v' and new.relnamespace = %s::regnamespace
left join pg_attribute now on now.attrelid = new.oid and now.attname = was.attname
  and now.atttypid = was.atttypid and now.atttypmod = was.atttypmod
where old.relkind = 'v' and old.relnamespace = 'public'::regnamespace and old.relname = any(%s) and now.attname is null
order by 1"""
_THERE = """
select c.relname, array_agg(a.attname::text order by a.attnum) from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace group by c.relname"""
_RELATIONS = """
select relname, relkind from pg_class
where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p', 'v') and not relispartition order by relname"""


def in_schema(tables: Iterable[Table], schema: str) -> MetaData:
    """Return the same tables as they stand in another generation."""
    made = MetaData(schema=schema)
    for table in tables:
        table.to_metadata(made, schema=schema)
    return made


def schema_sql(schema: str, projections: Sequence[Projection]) -> list[str]:
    """Return the SQL that makes a generation: tables, views over them, and the right to read the views."""
    tables: list[str] = []
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    recorder = create_mock_engine("postgresql+psycopg://", lambda sql, *_: tables.append(str(sql.compile(dialect=dialect))))
    in_schema(tables_of(projections), schema).create_all(recorder, checkfirst=False)
    views = [line for view in views_of(projections) for line in view.statements(schema)]
    return [
        f"create schema {schema}",
        f"grant usage on schema {schema} to {ANALYST}",
        *tables,
        *event_log.partitions(schema),
        f"set local search_path to {schema}",
        *views,
        "set local search_path to default",
    ]


async def make(
    connection: Connection,
    projections: Sequence[Projection],
    asked: str,
    only: str | None = None,
    until: dict[str, int] | None = None,
) -> None:
    """Make a generation that is being built; call it inside a transaction.

    Raises:
        RebuildRefused: a public view would lose a column, or change its type.
    """
    name = await generation.add(connection, shape_of(projections), asked, only, until)
    await _run(connection, schema_sql(name, projections))
    await _refuse_loss(connection, name, views_of(projections))


async def switch(connection: Connection, old: str, new: str, projections: Sequence[Projection]) -> None:
    """Let a generation serve instead of another one; call it inside a transaction that holds the old one.

    Raises:
        RebuildRefused: somebody changed a public view in the meantime, so that it cannot be replaced in place.
    """
    there = await columns_there(connection)
    await generation.look(connection, new)
    try:
        await _run(
            connection, (line for view in views_of(projections) for line in view.statements(there=there.get(view.name, ())))
        )
    except (InvalidTableDefinition, UndefinedColumn) as error:
        raise RebuildRefused(f"a public view cannot be replaced: {_first_line(error)}") from error
    await generation.turn(connection, old, "retired")
    await generation.turn(connection, new, "serving")


async def columns_there(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Return the columns of each public view as they are."""
    return dict(await (await connection.execute(_THERE)).fetchall())


async def remove(connection: Connection, one: Generation) -> None:
    """Drop a generation with its positions; its name stays known, so that it is never used again.

    Raises:
        RebuildRefused: somebody's own views rest on its tables.
    """
    rows = await (await connection.execute(_RELATIONS, (one.name,))).fetchall()
    views = [f"{one.name}.{name}" for name, kind in rows if kind == "v"]
    tables = [f"{one.name}.{name}" for name, kind in rows if kind != "v"]
    drops = [f"drop {kind} {', '.join(names)}" for kind, names in (("view", views), ("table", tables)) if names]
    try:
        await _run(connection, [*drops, f"drop schema if exists {one.name}"])
    except DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or "").splitlines()
        raise RebuildRefused(f"something of somebody else's rests on {one.name}: {'; '.join(detail)}") from error
    await generation.forget(connection, one.name)
    await generation.turn(connection, one.name, "dropped")


async def take_over(connection: Connection, old: str, new: str, tables: Iterable[Table]) -> None:
    """Copy tables from one generation, which nobody folds into meanwhile, into another one."""
    for table in tables:
        names = ", ".join(column.name for column in table.columns if column.computed is None)
        target = f"{new}.{table.name}"
        copy = f"insert into {target} ({names}) select {names} from {old}.{table.name}"  # noqa: S608 the names are ours
        await _run(connection, [f"truncate {target}", copy])


async def _refuse_loss(connection: Connection, name: str, views: Sequence[View]) -> None:
    """Refuse a generation whose views lack what people read today."""
    cursor = await connection.execute(_LOST, (name, [view.name for view in views]))
    if lost := [row[0] for row in await cursor.fetchall()]:
        raise RebuildRefused(
            f"views would lose columns, or change their type: {', '.join(lost)}; keep them, or give the view another name"
        )


async def _run(connection: Connection, statements: Iterable[str]) -> None:
    """Run statements without parameters in one round trip; several at a time cannot be prepared, however often one tries."""
    await connection.execute(";\n".join(statements).encode(), prepare=False)


def _first_line(error: Exception) -> str:
    """Return what Postgres says in short."""
    return (str(error).splitlines() or [type(error).__name__])[0]
