"""For Alembic: what tables alone do not say: the schema, partitions of the log, the analysts' role, and views."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from alembic.autogenerate import render as _rendering
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from projections.column import SCHEMA
from projections.event_log import PARTITIONS, event_log
from projections.similar_index import NEAREST
from projections.view import ANALYST, View
from store.metadata import OPS

_LOG = event_log.fullname
_HAS_SCHEMA = "select exists (select from pg_namespace where nspname = :name)"
_VIEWS = "select viewname, definition from pg_views where schemaname = 'public'"
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


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Tell Alembic what to compare: our schemas; a partition belongs to its table."""
    if kind == "schema":
        return name in (OPS, SCHEMA)
    if kind == "index":
        return name != NEAREST  # built aside, where and when it pays
    if kind == "table":
        return not (name or "").startswith(f"{event_log.name}_p") and parents.get("schema_name") in (OPS, SCHEMA)
    return True


def with_views(views: Sequence[View]) -> Callable[[MigrationContext, Any, list[MigrationScript]], None]:
    """Return the hook that adds to a migration what tables alone do not say."""

    def complete(context: MigrationContext, _revision: Any, scripts: list[MigrationScript]) -> None:
        connection = context.connection
        if connection is None or not scripts:
            return
        script = scripts[0]
        if script.upgrade_ops is None or script.downgrade_ops is None:
            return
        before, after = _foundation(connection)
        stale = [view for view in views if _is_stale(connection, view)]
        script.upgrade_ops.ops[:0] = _sql([*before, *_dropped(connection, stale)])
        script.upgrade_ops.ops += _sql([*after, *(line for view in stale for line in view.statements())])
        script.downgrade_ops.ops[:0] = _sql(f"drop view if exists public.{view.name}" for view in reversed(stale))
        script.downgrade_ops.ops += _sql(_gone(connection))

    return complete


def _foundation(connection: Connection) -> tuple[list[str], list[str]]:
    """Return what an empty database needs before and after its tables are made."""
    if connection.execute(text(_HAS_SCHEMA), {"name": SCHEMA}).scalar():
        return [], []
    partitions = [
        f"create table {_LOG}_p{number} partition of {_LOG} for values with (modulus {PARTITIONS}, remainder {number})"
        for number in range(PARTITIONS)
    ]
    return [f"create schema {SCHEMA}", _ROLE, f"grant usage on schema public to {ANALYST}"], partitions


def _gone(connection: Connection) -> list[str]:
    """Return what takes the foundation away; the role stays, since other databases of the server may use it."""
    if connection.execute(text(_HAS_SCHEMA), {"name": SCHEMA}).scalar():
        return []
    return [f"revoke usage on schema public from {ANALYST}", f"drop schema {SCHEMA}"]


def _is_stale(connection: Connection, view: View) -> bool:
    """Tell whether a view is missing or differs in its query, columns or comments."""
    defined: dict[str, str] = {name: query for name, query in connection.execute(text(_VIEWS))}  # noqa: C416 rows are no pairs to mypy
    if view.name not in defined:
        return True
    commented = connection.execute(text(_COMMENTS), {"view": view.name})
    found = {(column or ""): comment for column, comment in commented}
    if found != {"": view.comment, **view.columns}:
        return True
    return defined[view.name] != _normal(connection, view)


def _normal(connection: Connection, view: View) -> str:
    """Return a view's query in Postgres' own words: it is made under a passing name, read, and undone."""
    with connection.begin_nested() as undone:
        names = ", ".join(view.columns)
        connection.execute(text(f"create temp view passing ({names}) as {view.query}"))
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
