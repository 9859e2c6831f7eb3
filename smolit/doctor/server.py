"""Kafka and Postgres: do they answer, who has their ports, and do they tell the time that we do?"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

from bus.clock import broker_time
from bus.errors import BusError
from events.topics import CLOCK, Names
from smolit.doctor.finding import Finding, finding
from smolit.process.endpoints import locate
from smolit.settings import Settings
from smolit.stack.port import is_free
from smolit.stack.status import StackStatus
from store.errors import StoreError
from store.postgres import connect, time_of

# Deadlines are set by our clock and kept by Postgres'; what is stamped here is sorted there by people.
MOST_SKEW = timedelta(seconds=2)

Clock = Callable[[], datetime]


def servers(settings: Settings, seen: StackStatus) -> Iterator[Finding]:
    """Do Kafka and Postgres answer, and if not, who has their ports?"""
    wanted = {"kafka": settings.kafka_port, "postgres": settings.postgres_port}
    for server in (seen.kafka, seen.postgres):
        if server.running:
            yield Finding(server.name, True, f"answers{f' on port {server.port}' if server.port else ''}")
        elif not server.ours:
            yield Finding(server.name, False, "does not answer", f"start it, or check SMOLIT_{server.name.upper()}")
        else:
            yield Finding(server.name, False, "does not run", "`smolit up` starts it")
            port = wanted[server.name]
            if port and not is_free(port):
                told = f"taken by somebody else, wanted for {server.name}"
                yield Finding(f"port {port}", True, told, "another one will be taken")


def clocks(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Do Postgres and Kafka tell the same time as this machine?"""
    endpoints = locate(settings)
    topic = Names(settings.topic_prefix).of(CLOCK)
    yield _clock("postgres", lambda: _postgres_time(endpoints.postgres), clock)
    yield _clock("kafka", lambda: broker_time(endpoints.kafka, topic), clock)


async def _postgres_time(dsn: str) -> datetime:
    connection = await connect(dsn, "smolit-doctor")
    try:
        return await time_of(connection)
    finally:
        await connection.close()


def _clock(server: str, ask: Callable[[], Awaitable[datetime]], clock: Clock) -> Finding:
    """Compare a server's clock with ours; the time that the answer took is its error."""
    subject = f"clock of {server}"
    try:
        before, told, after = asyncio.run(_asked(ask, clock))
    except (BusError, StoreError) as error:
        return Finding(subject, False, str(error), "`smolit up` makes what is missing")
    # Inside [before, after] nothing is known to be wrong; outside, at least the distance is.
    skew = max(before - told, told - after, timedelta(0))
    way = "behind" if told < before else "ahead of"
    seen = f"{skew.total_seconds():.1f} s {way} this machine" if skew else "agrees with this machine"
    return finding(subject, skew <= MOST_SKEW, seen, "let both machines follow the same time server (NTP, chrony)")


async def _asked(ask: Callable[[], Awaitable[datetime]], clock: Clock) -> tuple[datetime, datetime, datetime]:
    """Return our time before, the server's, and ours after."""
    before = clock()
    return before, await ask(), clock()
