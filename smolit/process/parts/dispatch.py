"""Dispatch, wired; beside it the watchdog, the supervisor of split tasks, the postman and the bridge to workers elsewhere."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from events.vouched import HOUSE
from handlers import bridge, dispatch, postman, supervisor, watchdog
from handlers.count import Count
from handlers.ending import Roads
from handlers.ordering import SOURCE, House
from handlers.purge import Keep
from handlers.remote import Rhythm
from smolit.process import pools, watching
from smolit.process.hand import HandProcess
from smolit.process.keys import keyring
from smolit.process.place import Place
from smolit.process.roads import roads_of
from smolit.process.runnable import Runnable


def build(place: Place) -> Runnable:
    """Return the process."""

    async def body(stopped: asyncio.Event, count: Count) -> None:
        async with asyncio.TaskGroup() as group:
            for part in (_dispatch, _deliver, _supervise, _watch_over, watching.watch):
                group.create_task(part(place, stopped, count))
            group.create_task(bridge.run(_span(place), _edges(place, count), stopped))

    return HandProcess("dispatch", body)


async def _dispatch(place: Place, stopped: asyncio.Event, count: Count) -> None:
    """Queue what was chosen."""
    dispatcher = dispatch.Dispatcher(_roads(place), place.ports.clock, random.random, dispatch.Retry(), count)
    await _followed(place, dispatch.run, dispatcher, stopped)


async def _deliver(place: Place, stopped: asyncio.Event, count: Count) -> None:
    """Put messages into mailboxes."""
    letters = postman.Postman(place.names, place.ports.clock, count, place.settings.mailbox_room)
    await _followed(place, postman.run, letters, stopped)


async def _supervise(place: Place, stopped: asyncio.Event, count: Count) -> None:
    """Follow split tasks."""
    await _followed(place, supervisor.run, supervisor.Supervisor(place.names, place.ports.clock, count), stopped)


async def _followed(place: Place, run: Callable[..., Awaitable[None]], part: Any, stopped: asyncio.Event) -> None:
    """Let a part follow its topics, with what this process touches the world with."""
    ports, ends = place.ports, place.endpoints
    await run(
        ends.kafka,
        ends.postgres,
        place.names,
        part,
        stopped,
        connect=ports.connect,
        make_reader=ports.reader,
        make_fold=ports.fold,
    )


async def _watch_over(place: Place, stopped: asyncio.Event, count: Count) -> None:
    """Take back what dead workers held, end what is overdue, and throw away what is old."""
    dsn, ports, keep = place.endpoints.postgres, place.ports, Keep(place.settings.keep_ended_days)
    await watchdog.run(dsn, _roads(place), stopped, ports.clock, time.monotonic, count, keep, connect=ports.connect)


def _roads(place: Place) -> Roads:
    """Return where what this process says goes."""
    return roads_of(place, "smolit/dispatch")


def _span(place: Place) -> bridge.Span:
    """Return what the bridge to workers elsewhere spans; keys for commands are made now, where this data folder has none."""
    settings, ring = place.settings, keyring(place.settings)
    keys = {tenant: ring.key(tenant, HOUSE) for tenant in settings.tenants}
    return bridge.Span(
        kafka=place.endpoints.kafka,
        dsn=place.endpoints.postgres,
        tenants=settings.tenants,
        roads=roads_of(place, SOURCE),
        rhythm=Rhythm(settings.lease_s, settings.heartbeat_s),
        house=House(place.names, keys.__getitem__),
        limit_bytes=settings.inline_limit_bytes,
        replicas=settings.kafka_replicas,
        unsigned=settings.unsigned_workers,
    )


def _edges(place: Place, count: Count) -> bridge.Edges:
    """Return what the bridge touches the world with."""
    ports = place.ports
    return bridge.Edges(
        clock=ports.clock,
        timer=time.monotonic,
        count=count,
        tell=partial(pools.tell, place.settings),
        connect=ports.connect,
        make_reader=ports.reader,
        make_publisher=ports.publisher,
        make_fold=ports.fold,
    )
