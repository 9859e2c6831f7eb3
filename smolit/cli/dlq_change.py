"""`smolit dlq replay` and `purge`: what is to become of dead letters."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from bus.producer import Publisher
from events.topics import DEFAULT_TENANT
from projections.dead_letter import DeadLetterRow, Wanted, waiting
from smolit import letters
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.dlq import Reason, place
from smolit.cli.option import DryRun, Limit, Tenant, moment
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from smolit.letters import Sick
from store.postgres import Connection

Origins = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ORIGIN...]", help="Places of records, as `dlq list` shows them: topic/partition/offset."),
]
Topic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic, such as smolit.requests.v1.")]
Older = Annotated[
    str | None, typer.Option("--older-than", help="Only those set aside before then: a time, or a span such as 30d.")
]
Force = Annotated[bool, typer.Option("--force", help="Replay what was replayed too often, too; only for admins.")]


def replay(
    origins: Origins = None,
    reason: Reason = None,
    topic: Topic = None,
    limit: Limit = 1000,
    force: Force = False,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Publish the records of dead letters to their topics again, in the order of each key."""
    desk = open_desk()
    if force and tenant not in desk.settings.admins:
        raise UsageInvalid(f"--force is for admins, and {tenant!r} is none (SMOLIT_ADMINS)")
    found = _waiting(desk, _wanted(origins, reason, topic, None), limit)
    made = letters.plan(found, None if force else desk.settings.max_replays)
    if dry_run:
        _show("would be replayed", made.again)
    else:
        asyncio.run(_replay(desk, made.again))
        out.say(f"{len(made.again)} record(s) replayed; what is still wrong becomes a dead letter again, with its count")
    if made.left:
        sick, why = made.left[0]
        raise CheckFailed(f"{len(made.left)} dead letter(s) stay; {sick.one.origin}: {why}")


def purge(
    origins: Origins = None,
    reason: Reason = None,
    topic: Topic = None,
    older_than: Older = None,
    limit: Limit = 1000,
    dry_run: DryRun = False,
) -> None:
    """Give dead letters up: they leave the list, and what waits behind them may be replayed; the log keeps them."""
    desk = open_desk()
    found = letters.grouped(_waiting(desk, _wanted(origins, reason, topic, older_than), limit))
    if dry_run:
        _show("would be purged", found)
        return
    asyncio.run(_purge(desk, found))
    out.say(f"{len(found)} record(s) given up; `dlq list --all` still shows them")


def _wanted(origins: list[str] | None, reason: str | None, topic: str | None, older_than: str | None) -> Wanted:
    """Return which letters are meant; raises UsageInvalid where nothing says so: all of them is no answer."""
    if not (origins or reason or topic or older_than):
        raise UsageInvalid("say which dead letters: their places, --reason, --topic or, for purge, --older-than")
    for origin in origins or ():
        place(origin)
    before = moment(older_than, now(), -1) if older_than else None
    return Wanted(origins=tuple(origins or ()), reason=reason, topic=topic, before=before)


def _waiting(desk: Desk, wanted: Wanted, limit: int) -> list[DeadLetterRow]:
    """Return the letters that are meant; raises NothingFound."""
    found = read(desk, lambda connection: waiting(connection, wanted, limit))
    if not found:
        raise NothingFound("no such dead letter waits; `smolit dlq list` shows those that do")
    return found


def _show(what: str, found: list[Sick]) -> None:
    """List records on standard error: nothing was done."""
    out.say(f"{len(found)} record(s) {what}:")
    for sick in found:
        out.say(f"  {sick.one.origin} ({sick.one.reason}, replayed {sick.replays} time(s))")


@asynccontextmanager
async def _at_work(desk: Desk) -> AsyncIterator[tuple[Publisher, Connection]]:
    """Yield the way to Kafka and the way to Postgres."""
    publisher = Publisher(desk.endpoints.kafka, "smolit-dlq")
    await publisher.start()
    try:
        async with desk.reading() as connection:
            yield publisher, connection
    finally:
        await publisher.stop()


async def _replay(desk: Desk, sick: list[Sick]) -> None:
    async with _at_work(desk) as (publisher, connection):
        await letters.replay(publisher, connection, desk.names, now(), sick)


async def _purge(desk: Desk, sick: list[Sick]) -> None:
    async with _at_work(desk) as (publisher, connection):
        await letters.purge(publisher, connection, desk.names, now(), sick)
