"""Dispatch, wired; beside it the watchdog, the supervisor of split tasks, the postman and the bridge to workers elsewhere."""

import asyncio
import random
import time
from functools import partial

from events.vouched import HOUSE
from handlers import bridge, dispatch, postman, supervisor, watchdog
from handlers.count import Count
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
    ports, roads = place.ports, roads_of(place, "smolit/dispatch")
    keep = Keep(place.settings.keep_ended_days)

    async def body(stopped: asyncio.Event, count: Count) -> None:
        dispatcher = dispatch.Dispatcher(roads, ports.clock, random.random, dispatch.Retry(), count)
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        async with asyncio.TaskGroup() as group:
            group.create_task(
                dispatch.run(
                    kafka,
                    dsn,
                    place.names,
                    dispatcher,
                    stopped,
                    connect=ports.connect,
                    make_reader=ports.reader,
                    make_fold=ports.fold,
                )
            )
            letters = postman.Postman(place.names, ports.clock, count, place.settings.mailbox_room)
            group.create_task(
                postman.run(
                    kafka,
                    dsn,
                    place.names,
                    letters,
                    stopped,
                    connect=ports.connect,
                    make_reader=ports.reader,
                    make_fold=ports.fold,
                )
            )
            group.create_task(
                supervisor.run(
                    kafka,
                    dsn,
                    place.names,
                    supervisor.Supervisor(place.names, ports.clock, count),
                    stopped,
                    connect=ports.connect,
                    make_reader=ports.reader,
                    make_fold=ports.fold,
                )
            )
            group.create_task(bridge.run(_span(place), _edges(place, count), stopped))
            group.create_task(watching.watch(place, stopped, count))
            group.create_task(watchdog.run(dsn, roads, stopped, ports.clock, time.monotonic, count, keep, connect=ports.connect))

    return HandProcess("dispatch", body)


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
