"""Dispatch, wired; beside it the watchdog, the supervisor of split tasks, the postman and the bridge to workers elsewhere."""

import asyncio
import random
import time
from functools import partial

from handlers import bridge, dispatch, postman, supervisor, watchdog
from handlers.count import Count
from handlers.purge import Keep
from smolit.process import pools, watching
from smolit.process.hand import HandProcess
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
            group.create_task(
                bridge.run(
                    kafka,
                    dsn,
                    place.settings.tenants,
                    roads_of(place, bridge.SOURCE),
                    bridge.Rhythm(place.settings.lease_s, place.settings.heartbeat_s),
                    place.settings.inline_limit_bytes,
                    place.settings.kafka_replicas,
                    stopped,
                    ports.clock,
                    time.monotonic,
                    count,
                    partial(pools.tell, place.settings),
                    unsigned=place.settings.unsigned_workers,
                    connect=ports.connect,
                    make_reader=ports.reader,
                    make_publisher=ports.publisher,
                    make_fold=ports.fold,
                )
            )
            group.create_task(watching.watch(place, stopped, count))
            group.create_task(watchdog.run(dsn, roads, stopped, ports.clock, time.monotonic, count, keep, connect=ports.connect))

    return HandProcess("dispatch", body)
