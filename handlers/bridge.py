"""The bridge to workers that live elsewhere: takes what they say, and gives them attempts, under the leases of all others.

Two loops. One folds the request topics for what workers say (`handlers.ear`); rows, positions and records move in one
transaction. The other gives attempts to workers that were heard of just now (`handlers.giving`). As long as no agent lives
elsewhere, it reads nothing.
"""

import asyncio
from asyncio import Event as Flag
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from functools import partial

from msgspec import Struct

from bus.producer import MakePublisher, Publisher
from bus.reader import MakeReader, PartitionReader
from events.topics import REQUESTS
from handlers import announcing, remote
from handlers.count import Count
from handlers.ear import Ear
from handlers.ending import Roads
from handlers.giving import BELL, Hand
from handlers.nap import nap
from handlers.ordering import House
from handlers.pool_topics import Tell, Topics
from handlers.remote import Rhythm
from handlers.sieve import Sieve, Timer
from handlers.turn import take_turn
from handlers.workshop import Clock
from store import room
from store.doorbell import Doorbell
from store.fold import DurableFold, MakeFold, Move
from store.follow import follow
from store.postgres import Connect, Connection, connect

CONSUMER = "bridge"  # stored beside the positions


class Span(Struct, frozen=True, kw_only=True):
    """What a bridge spans: servers, tenants, whose word is taken, and in whose name commands are given."""

    kafka: str
    dsn: str
    tenants: Sequence[str]
    roads: Roads
    rhythm: Rhythm
    house: House
    limit_bytes: int
    replicas: int
    unsigned: Collection[str] = ()


class Edges(Struct, frozen=True, kw_only=True):
    """What a bridge touches the world with; `tell` hears of every pool."""

    clock: Clock
    timer: Timer
    count: Count
    tell: Tell
    connect: Connect = connect
    make_reader: MakeReader = PartitionReader
    make_publisher: MakePublisher = Publisher
    make_fold: MakeFold = DurableFold


async def run(span: Span, edges: Edges, stopped: Flag) -> None:
    """Be the bridge until told to stop, after standing by while another one is; any error ends it.

    Raises:
        Fenced: another process moved a position of ours.
    """
    async with AsyncExitStack() as stack:
        hearing, giving = [await _connect(edges.connect, span.dsn, stack) for _ in range(2)]
        topics = Topics(span.kafka, span.roads.names, span.replicas, edges.tell, edges.count)
        if not await _begins(span, hearing, giving, topics, stopped):
            return
        await announcing.announce(giving, span.house, span.tenants, edges.clock())
        async with asyncio.TaskGroup() as group:
            group.create_task(_hear(span, edges, hearing, stopped))
            group.create_task(_give(span, edges, giving, topics, stopped))


async def _begins(span: Span, hearing: Connection, giving: Connection, topics: Topics, stopped: Flag) -> bool:
    """Wait until it is our turn and an agent lives elsewhere; return False if we are told to stop meanwhile."""
    if not await take_turn(hearing, span.roads.names, stopped, span.rhythm.asleep_s, CONSUMER):
        return False
    while not stopped.is_set() and not await topics.made_for(giving):
        await nap(stopped, span.rhythm.asleep_s)
    return not stopped.is_set()


async def _hear(span: Span, edges: Edges, connection: Connection, stopped: Flag) -> None:
    """Fold what workers say."""
    ear = Ear(span.house, span.roads, span.rhythm, edges.clock, span.limit_bytes, edges.count, span.unsigned)
    publisher, reader = edges.make_publisher(span.kafka, CONSUMER), edges.make_reader(span.kafka, CONSUMER)
    try:
        await publisher.start()
        fold = edges.make_fold(CONSUMER, connection)
        asked = [span.roads.names.requests_of(tenant) for tenant in span.tenants]
        positions = await begun(fold, reader, [(topic, part) for topic in asked for part in range(REQUESTS.partitions)])
        source = Sieve(reader, remote.urgency, edges.timer)
        committed = partial(ear.committed, connection, publisher)
        await follow(source, fold, positions, ear.apply, stopped.is_set, committed=committed)
    finally:
        await reader.stop()
        await publisher.stop()


async def _give(span: Span, edges: Edges, connection: Connection, topics: Topics, stopped: Flag) -> None:
    """Give and end, whenever it rings, and every so often."""
    hand = Hand(connection, span.house, span.roads, span.rhythm, edges.clock, edges.count)
    bell = await Doorbell.install(span.dsn, room.bell_of(BELL), CONSUMER)
    try:
        while not stopped.is_set():
            await topics.made_for(connection)
            await hand.turn(topics.made)
            await bell.wait(span.rhythm.poll_s)
    finally:
        await bell.close()


async def begun(fold: DurableFold, reader: PartitionReader, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return where to read on, with the reader there: what was said before anybody listened for the first time is passed over."""
    positions = await fold.positions(places)
    await reader.start(positions)
    new = [place for place, position in positions.items() if position == 0]
    if new:
        ends = await reader.ends()
        moves = [Move(*place, 0, ends[place]) for place in new if ends[place]]
        if moves:
            await fold.move(moves)
            positions |= {place: ends[place] for place in new}
            reader.turn_to(positions)
    return positions


async def _connect(connect: Connect, dsn: str, stack: AsyncExitStack) -> Connection:
    connection = await connect(dsn, CONSUMER)
    stack.push_async_callback(connection.close)
    return connection
