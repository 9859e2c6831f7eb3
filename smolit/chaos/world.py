"""Worlds: what one run has for itself on the harness's own stack: a topic prefix, a database and a folder."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bus import admin
from bus.errors import BusError
from events.topics import Names
from smolit.errors import ServerForeign
from smolit.folder import claim
from smolit.process.roster import environment
from smolit.settings import Settings, load_settings
from smolit.stack import local
from smolit.stack.local import Endpoints
from smolit.stack.server import Progress
from store import migrate

FOLDER = "chaos"
TEMPLATE = "chaos_template"
LEASE_S = 3.0  # short, so that a dead worker's attempts are taken over while the round still runs
SNAPSHOT_EVERY = 25
_TRIES = 6


@dataclass(frozen=True)
class World:
    """One namespace; its settings name the addresses, so that every process of it finds the same ones."""

    name: str
    settings: Settings

    @property
    def folder(self) -> Path:
        """Return where its plans, logs and history lie."""
        return self.settings.data_dir

    @property
    def names(self) -> Names:
        """Return the names of its topics."""
        return Names(self.settings.topic_prefix)

    @property
    def kafka(self) -> str:
        """Return where Kafka is."""
        return self.settings.kafka

    @property
    def postgres(self) -> str:
        """Return the address of its database; it contains the password."""
        return self.settings.postgres.get_secret_value()

    def environment(self) -> dict[str, str]:
        """Return what a process of this world needs in its environment."""
        return environment(self.settings, {})


def stack_settings(settings: Settings) -> Settings:
    """Return the settings of the harness's own stack, beside whatever runs already.

    Raises:
        ServerForeign: the settings name a Kafka or a Postgres: it is not ours to kill.
    """
    for name, given in (("KAFKA", settings.kafka), ("POSTGRES", settings.postgres.get_secret_value())):
        if given:
            raise ServerForeign(f"SMOLIT_{name} names a server that is not ours; `smolit chaos` kills servers, so unset it.")
    claim(settings.data_dir)
    ports = {"kafka_port": 0, "kafka_controller_port": 0, "postgres_port": 0}
    return load_settings(data_dir=settings.data_dir / FOLDER, **ports)


def raise_stack(settings: Settings, progress: Progress) -> Endpoints:
    """Start the stack, and make the database that every world is a copy of."""
    endpoints = local.up(settings, progress)
    if not endpoints.ours:
        raise ServerForeign("This Kafka or Postgres is not part of the local stack, so it is not killed.")
    _statement(endpoints.postgres, sql.SQL("drop database if exists {}").format(sql.Identifier(TEMPLATE)))
    _statement(endpoints.postgres, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    migrate.upgrade(address(endpoints, TEMPLATE))
    return endpoints


def address(endpoints: Endpoints, database: str) -> str:
    """Return the address of another database on the same server."""
    return f"{endpoints.postgres.rpartition('/')[0]}/{database}"


def new_database(endpoints: Endpoints, name: str) -> str:
    """Make an empty, migrated database and return its address."""
    copy = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
    _statement(endpoints.postgres, copy)
    return address(endpoints, name)


async def new_world(stack: Settings, endpoints: Endpoints, name: str, hosts: tuple[str, ...]) -> World:
    """Make a world: database, topics, folder. `hosts` are the services that its agents may call."""
    postgres = await asyncio.to_thread(new_database, endpoints, f"chaos_{name}")
    settings = load_settings(
        data_dir=stack.data_dir / name,
        cache=stack.cache,
        kafka=endpoints.kafka,
        postgres=postgres,
        topic_prefix=f"chaos-{name}",
        encoder="hashed",
        webhook_hosts=hosts,
        lease_s=LEASE_S,
        snapshot_every=SNAPSHOT_EVERY,
        worker_capacity=4,
        log_format="json",
    )
    claim(settings.data_dir)
    world = World(name, settings)
    await _make_topics(world)
    return world


async def _make_topics(world: World) -> None:
    """Make the topics; a broker that is busy with other worlds may need to be asked again."""
    topics = world.names.all(world.settings.tenants)
    for _ in range(_TRIES - 1):
        with suppress(BusError):
            await admin.provision(world.kafka, topics)
            return
    await admin.provision(world.kafka, topics)


def _statement(url: str, statement: sql.Composed) -> None:
    """Run one statement that no transaction may hold."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
