"""What commands sit at: settings read once, addresses found, connections opened and closed again."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from psycopg.errors import InvalidSchemaName, UndefinedTable

from events.event import Event, Fact
from events.request import Request
from events.topics import Names
from smolit.cli import out
from smolit.client import Ask, Client, Origin
from smolit.process.endpoints import locate
from smolit.settings import Settings, load_settings
from smolit.stack.local import Endpoints
from store.errors import SchemaMissing
from store.postgres import Connection, connect

T = TypeVar("T")

SOURCE = "smolit/cli"  # stands in every request; task ids are derived from it


@dataclass(frozen=True)
class Desk:
    """Settings and addresses of one command."""

    settings: Settings
    endpoints: Endpoints

    @property
    def names(self) -> Names:
        """Return the names of topics."""
        return Names(self.settings.topic_prefix)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Yield a connection to the read models."""
        connection = await connect(self.endpoints.postgres, "smolit-cli")
        try:
            yield connection
        finally:
            await connection.close()

    def client(self, tenant: str) -> Client:
        """Return a client that asks as a tenant."""
        return Client(self.endpoints.kafka, Origin(self.names, tenant, SOURCE), now, os.urandom)


def read(desk: Desk, ask: Callable[[Connection], Awaitable[T]]) -> T:
    """Return what a read of the read models gives.

    Raises:
        SchemaMissing: migrations were not run.
    """

    async def go() -> T:
        async with desk.reading() as connection:
            return await ask(connection)

    try:
        return asyncio.run(go())
    except (UndefinedTable, InvalidSchemaName) as error:
        raise SchemaMissing("the read models are not there yet; `smolit up` makes them") from error


def now() -> datetime:
    """Return the wall clock in UTC."""
    return datetime.now(UTC)


def open_desk() -> Desk:
    """Return settings and addresses; raises SettingInvalid, or ServerUnreachable where there is no stack."""
    settings = load_settings()
    return Desk(settings, locate(settings))


async def put_in_force(desk: Desk, tenant: str, request: Request, dry_run: bool) -> Event[Fact] | None:
    """Send a request and return the fact that it caused; with `dry_run` only show what would be sent.

    Raises:
        RequestRefused: it did not come into force.
    """
    client = desk.client(tenant)
    if dry_run:
        made = client.record(request, "dry-run")
        out.say(f"would publish to {made.topic}:")
        out.json({"type": request.event_type.wire_name, "data": request})
        return None
    async with client:
        return await client.effect(Ask(request))


def ask_for(tenant: str, request: Request, dry_run: bool, done: str) -> None:
    """Send a request, wait until it is in force, and say so; raises RequestRefused."""
    if asyncio.run(put_in_force(open_desk(), tenant, request, dry_run)) is not None:
        out.say(done)
