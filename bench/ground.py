"""Where is measured: the local stack, or a Kafka and a Postgres that are named; always topics and databases of its own."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from msgspec import Struct
from psycopg import sql

from bench.topics import drop
from bus.admin import provision
from events.topics import DEFAULT_TENANT, Names
from smolit.demo.stage import refuse_foreign
from smolit.settings import load_settings
from smolit.stack import local
from smolit.stack.status import status
from store import migrate

Say = Callable[[str], None]
TENANTS = (DEFAULT_TENANT,)

Kafka = Annotated[str, typer.Option("--kafka", metavar="HOST:PORT", help="Kafka to measure on; else the local stack's.")]
Postgres = Annotated[str, typer.Option("--postgres", metavar="URL", help="Postgres to measure on; else the local stack's.")]


class Ground(Struct, frozen=True):
    """A Kafka, a Postgres in which databases may be made, and the names of topics that nobody else has."""

    kafka: str
    postgres: str
    names: Names

    @contextmanager
    def database(self) -> Iterator[str]:
        """Lend a database with our tables; it is removed afterwards."""
        name = f"bench{secrets.token_hex(4)}"
        _statement(self.postgres, sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            url = f"{self.postgres.rpartition('/')[0]}/{name}"
            migrate.upgrade(url)
            yield url
        finally:
            _statement(self.postgres, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def ground(kafka: str, postgres: str, say: Say) -> Iterator[Ground]:
    """Lend a place to measure on; topics are removed afterwards, and a stack that was started here is stopped."""
    with servers(kafka, postgres, say) as (broker, url):
        names = Names(f"bench{secrets.token_hex(4)}")
        asyncio.run(provision(broker, names.all(TENANTS)))
        try:
            yield Ground(broker, url, names)
        finally:
            asyncio.run(drop(broker, names.all(TENANTS)))


@contextmanager
def servers(kafka: str, postgres: str, say: Say) -> Iterator[tuple[str, str]]:
    """Lend two servers: those that are named, else the local stack's.

    Raises:
        ServerForeign: the settings name a Kafka or Postgres that is not ours, and the options name none.
    """
    if kafka and postgres:
        yield kafka, postgres
        return
    settings = load_settings()
    refuse_foreign(settings)
    before = status(settings)
    endpoints = local.up(settings, say)
    try:
        yield kafka or endpoints.kafka, postgres or endpoints.postgres
    finally:
        if not (before.kafka.running and before.postgres.running):
            local.down(settings, progress=say)


def _statement(url: str, statement: sql.Composed) -> None:
    """Run one statement that no transaction may hold."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
