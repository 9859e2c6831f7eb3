"""Alembic's entry: which schemas are ours, and what they should hold."""

from alembic import context
from sqlalchemy import Connection, text

from projections.catalog import PROJECTIONS, VIEWS, tables_of
from projections.drift import is_ours, serving, settle, with_views
from projections.generation import in_schema
from store.metadata import OPS
from store.migrate import engine
from store.tables import METADATA as OPERATIONAL

_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('smolit migrations', 0))"


def _migrate(connection: Connection) -> None:
    """Run the asked-for migrations in one transaction; the schema of the version table is made first."""
    connection.execute(text(_ONE_AT_A_TIME))
    connection.execute(text(f"create schema if not exists {OPS}"))
    schema = serving(connection)
    context.configure(
        connection=connection,
        target_metadata=[OPERATIONAL, in_schema(tables_of(PROJECTIONS), schema)],
        version_table_schema=OPS,
        include_schemas=True,
        include_name=is_ours(schema),
        process_revision_directives=with_views(VIEWS, schema),
    )
    context.run_migrations()
    if context.config.attributes.get("settle"):
        settle(connection)


def _dsn() -> str:
    """Return the address that the caller gave: `store/migrate.py`, or `-x dsn=...` by hand."""
    given: str | None = context.config.attributes.get("dsn")
    return given or context.get_x_argument(as_dictionary=True)["dsn"]


with engine(_dsn()).begin() as opened:
    _migrate(opened)
