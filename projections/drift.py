"""For Alembic: what tables alone do not say: the serving schema, partitions of the log, the analysts' role, and views."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from alembic.autogenerate import render as _rendering
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from projections.catalog import PROJECTIONS, views_of
from projections.column import SCHEMA
from projections.event_log import event_log, partitions
from projections.generation import schema_sql
from projections.knowledge_index import NEAREST_PIECES, SAMPLED_PIECES
from projections.projection import Projection
from projections.shape import changed, shape_of
from projections.similar_index import NEAREST
from projections.view import ANALYST, View
from store.metadata import OPS

_IS_TOLD = "select to_regclass('ops.read_generation') is not null"
_SERVING = "select name from ops.read_generation where state = 'serving'"
_HAS_SCHEMA = "select exists (select from pg_namespace where nspname = :name)"
_VIEWS = "select viewname, definition from pg_views where schemaname = 'public'"
_UNTOUCHED = """
select name, shape from ops.read_generation as one where state = 'serving' and not exists (
  select from ops.fold_position where consumer = 'projections.' || one.name and next > 0) for update"""
_RESHAPED = "update ops.read_generation set shape = cast(:shape as jsonb) where name = :name"
_COLUMNS = """
select a.attname from pg_attribute a where a.attrelid = to_regclass(:view) and a.attnum > 0 and not a.attisdropped
order by a.attnum"""
_COMMENTS = """
select a.attname, d.description from pg_class c
join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass
left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and c.relname = :view"""
# Roles belong to the whole server: another database of ours may have made it a moment ago.
_ROLE = f"""do $$ begin
  create role {ANALYST} nologin;
exception when duplicate_object or unique_violation then null;
end $$"""


class Sql(ExecuteSQLOp):
    """A statement that a migration holds as it is."""

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return what `alembic check` prints."""
        return ("sql", str(self.sqltext).splitlines()[0])


@_rendering.renderers.dispatch_for(Sql)
def _render(_context: AutogenContext, operation: Sql) -> str:
    """Write a statement into a migration, as readable as it is."""
    return f'op.execute(\n    """{operation.sqltext}"""\n)'


def serving(connection: Connection) -> str:
    """Return the schema that serves: what is declared is compared with that one, whoever made it."""
    told = connection.execute(text(_IS_TOLD)).scalar() and connection.execute(text(_SERVING)).scalar()
    return str(told or SCHEMA)


def is_ours(schema: str) -> Callable[[str | None, str, Any], bool]:
    """Tell Alembic what to compare: our schemas, of the generations the serving one; a partition belongs to its table."""

    def wanted(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name in (OPS, schema)
        if kind == "index":
            # built aside, where and when it pays
            return name not in (NEAREST, SAMPLED_PIECES) and not (name or "").startswith(NEAREST_PIECES)
        if kind == "table":
            return not (name or "").startswith(f"{event_log.name}_p") and parents.get("schema_name") in (OPS, schema)
        return True

    return wanted


def with_views(views: Sequence[View], schema: str) -> Callable[[MigrationContext, Any, list[MigrationScript]], None]:
    """Return the hook that adds to a migration what tables alone do not say."""

    def complete(context: MigrationContext, _revision: Any, scripts: list[MigrationScript]) -> None:
        connection = context.connection
        if connection is None or not scripts:
            return
        script = scripts[0]
        if script.upgrade_ops is None or script.downgrade_ops is None:
            return
        before, after = _foundation(connection, schema)
        stale = [view for view in views if _is_stale(connection, view, schema)]
        script.upgrade_ops.ops[:0] = _sql([*before, *_dropped(connection, stale)])
        script.upgrade_ops.ops += _sql([*after, *_made(stale, schema)])
        script.downgrade_ops.ops[:0] = _sql(f"drop view if exists public.{view.name}" for view in reversed(stale))
        script.downgrade_ops.ops += _sql(_gone(connection, schema))

    return complete


def settle(connection: Connection, projections: Sequence[Projection] = PROJECTIONS) -> None:
    """Make the serving generation anew where it is not what is declared, if nothing was ever folded into it.

    So a new database begins with today's read models, whatever they were when migrations were written.
    """
    row = connection.execute(text(_UNTOUCHED)).one_or_none()
    if row is None or not changed(row.shape, shape_of(projections)):
        return
    views = [line for view in views_of(projections) for line in view.statements()]
    again = [
        f"drop schema {row.name} cascade",
        *schema_sql(row.name, projections),
        f"set local search_path to {row.name}",
        *views,
    ]
    # Past SQLAlchemy, which would take a per cent sign for a parameter.
    connection.connection.driver_connection.execute(";\n".join([*again, "set local search_path to default"]).encode())  # type: ignore[union-attr]
    connection.execute(text(_RESHAPED), {"name": row.name, "shape": msgspec.json.encode(shape_of(projections)).decode()})


def _foundation(connection: Connection, schema: str) -> tuple[list[str], list[str]]:
    """Return what an empty database needs before and after its tables are made."""
    if connection.execute(text(_HAS_SCHEMA), {"name": schema}).scalar():
        return [], []
    return [f"create schema {schema}", _ROLE, f"grant usage on schema public to {ANALYST}"], partitions(schema)


def _made(stale: Sequence[View], schema: str) -> list[str]:
    """Return what makes views over the tables of a schema."""
    lines = [line for view in stale for line in view.statements()]
    return [f"set local search_path to {schema}", *lines, "set local search_path to default"] if lines else []


def _gone(connection: Connection, schema: str) -> list[str]:
    """Return what takes the foundation away; the role stays, since other databases of the server may use it."""
    if connection.execute(text(_HAS_SCHEMA), {"name": schema}).scalar():
        return []
    return [f"revoke usage on schema public from {ANALYST}", f"drop schema {schema}"]


def _is_stale(connection: Connection, view: View, schema: str) -> bool:
    """Tell whether a view is missing or differs in its query, columns or comments."""
    defined: dict[str, str] = {name: query for name, query in connection.execute(text(_VIEWS))}  # noqa: C416 rows are no pairs to mypy
    if view.name not in defined:
        return True
    commented = connection.execute(text(_COMMENTS), {"view": view.name})
    found = {(column or ""): comment for column, comment in commented}
    if found != {"": view.comment, **view.columns}:
        return True
    there = [str(name) for (name,) in connection.execute(text(_COLUMNS), {"view": f"public.{view.name}"})]
    if set(there) != set(view.columns):
        return True
    return defined[view.name] != _normal(connection, view, schema, there)


def _normal(connection: Connection, view: View, schema: str, there: Sequence[str]) -> str:
    """Return a view's query in Postgres' own words: it is made under a passing name, read, and undone."""
    with connection.begin_nested() as undone:
        connection.execute(text(f"set local search_path to {schema}"))
        connection.execute(text(f"create temp view passing ({', '.join(there)}) as {view.ordered(there)}"))
        connection.execute(text("set local search_path to default"))
        definition = connection.execute(text("select pg_get_viewdef('passing'::regclass)")).scalar_one()
        undone.rollback()
    return str(definition)


def _dropped(connection: Connection, stale: Iterable[View]) -> list[str]:
    """Return what takes stale views away that are there."""
    there = {name for name, _ in connection.execute(text(_VIEWS))}
    return [f"drop view public.{view.name}" for view in stale if view.name in there]


def _sql(statements: Iterable[str]) -> list[Any]:
    """Return statements as operations of a migration."""
    return [Sql(statement) for statement in statements]
