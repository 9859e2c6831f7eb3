"""`projection rebuild`: a new generation is filled beside the one that serves, compared with it, and put in its place.

Every step may be the last before a kill. Until the switch, one transaction, the old generation serves; the new one's positions
are durable, so the same words resume it. Nothing is written but the new generation's own schema and its two bookkeeping
rows (`ops.read_generation`, `ops.fold_position`): no effect can happen again.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from msgspec import Struct

from bus.reader import PartitionReader, Place
from events.topics import Names
from projections.alone import APPLICATION, LOCK_MS, alone, patiently
from projections.catalog import PROJECTIONS, compared_of
from projections.errors import RebuildRefused
from projections.fill import Filler, Pace, Told
from projections.fold import ProjectionFold
from projections.generation import make, switch, take_over
from projections.projection import Projection
from projections.runner import BATCH, places
from projections.shape import changed, shape_of
from projections.verify import ModelReport, alike
from store import generation
from store.fold import DurableFold
from store.generation import Generation, State
from store.postgres import Connection, connect, snapshot

T = TypeVar("T")

_LEVEL_MS = 30_000  # less than a batch is missing when we begin to hold the serving generation
_STEP_MS = 10_000  # nobody but the serving fold waits for a generation's row: as long as its longest step


class Where(Struct, frozen=True):
    """What a rebuild works on."""

    kafka: str
    dsn: str
    names: Names
    tenants: Sequence[str]
    projections: Sequence[Projection] = PROJECTIONS


class Wanted(Struct, frozen=True):
    """What a rebuild is to do: in which words it was asked for, for which read model (None: all), up to which moment.

    `at` gives the marks of a moment from the ends of all partitions; None: follow the log, compare, and (`switches`)
    serve. `accepts`: switch although a read model differs that this release did not change.
    """

    asked: str
    only: str | None = None
    at: Callable[[PartitionReader, Mapping[Place, int]], Awaitable[Mapping[Place, int]]] | None = None
    switches: bool = True
    accepts: bool = False


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What became of it: `equal` is about the read models that this release did not change (None: nothing to compare with).

    `seconds` in all, from the first look to the last; `rate` in records a second while it was filled.
    """

    generation: str
    state: State
    records: int
    seconds: float
    rate: float
    equal: bool | None
    changed: tuple[str, ...]
    models: tuple[ModelReport, ...]


async def rebuild(where: Where, wanted: Wanted, told: Told) -> Rebuilt:
    """Make a generation, or go on with the one that these words began; return how it compares and whether it serves.

    Raises:
        RebuildRefused: another rebuild is under way, or what was asked for cannot be done.
        GenerationMoved, Fenced: somebody discarded it under our feet.
    """
    begun = time.monotonic()
    async with alone(where.dsn) as connection, AsyncExitStack() as stack:
        work = await _begin(where, wanted, connection, stack, told)
        if work.mine.until is not None:
            await work.keep()
            return await _report(work, begun, None, ())
        await work.catch_up()
        models = await work.compare()
        alike_all = all(model.equal for model in models)
        if wanted.switches and (alike_all or wanted.accepts):
            await work.together(lambda holder: switch(holder, work.live.name, work.mine.name, where.projections))
        return await _report(work, begun, alike_all, models)


class _Work:
    """One rebuild under way: the generation that serves, the one that is made, and what fills it."""

    def __init__(self, where: Where, live: Generation, mine: Generation, connection: Connection, filler: Filler) -> None:
        self.where, self.live, self.mine, self.connection, self.filler = where, live, mine, connection, filler
        self._only = mine.anew

    async def fill(self, marks: Mapping[Place, int]) -> None:
        """Fold up to the marks; as long as one read model is made anew, that one alone."""
        chosen = [one for one in self.where.projections if self._only in (None, one.name)]
        memory = ProjectionFold(self.where.names, chosen, self.mine.name, "building", self.mine.shape)
        await self.filler.upto(marks, memory)

    async def catch_up(self) -> None:
        """Fold until the serving generation is less than a batch ahead; then take over what is not made anew."""
        while self.filler.missing(marks := await self._marks()) > BATCH:
            await self.fill(marks)
        if self._only is not None:
            await self.together(self._take_over)
            self._only = None

    async def together(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Hold the serving generation still, come level with it, and act in the transaction that holds it."""
        return await patiently(lambda: self._held(act))

    async def compare(self) -> tuple[ModelReport, ...]:
        """Compare every read model that this release did not change, in a snapshot in which both are at one place."""
        other = changed(self.live.shape, self.mine.shape)
        same = [one for one in self.where.projections if one.name not in other]
        relations = [one for one in compared_of(same) if one.name not in other]
        watcher = await connect(self.where.dsn, APPLICATION)
        try:
            async with snapshot(watcher):
                await self.together(lambda _: watcher.execute("select"))  # the snapshot is of this moment
                return tuple([await alike(watcher, self.live.name, self.mine.name, one) for one in relations])
        finally:
            await watcher.close()

    async def keep(self) -> None:
        """Fold up to the moment that was asked for, and let the generation stay as it is."""
        await self.fill(_places(self.mine.until or {}))
        async with self.connection.transaction():
            await generation.turn(self.connection, self.mine.name, "kept")

    async def _marks(self) -> Mapping[Place, int]:
        """Return where the serving generation stands."""
        return await generation.positions(self.connection, self.live.name)

    async def _held(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Do it once, on a connection of its own: Postgres ends one that held the serving generation for too long."""
        holder = await connect(self.where.dsn, APPLICATION)
        try:
            return await self._level(holder, act)
        finally:
            await holder.close()

    async def _level(self, holder: Connection, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Do it, or fail because somebody holds a lock, or because coming level took too long; what was folded stays folded."""
        async with holder.transaction():
            await holder.execute(f"set local lock_timeout = {_STEP_MS}")
            await holder.execute(f"set local idle_in_transaction_session_timeout = {_LEVEL_MS}")
            await generation.hold(holder, self.live.name)
            await holder.execute(f"set local lock_timeout = {LOCK_MS}")
            await self.fill(await self._marks())
            await holder.execute("select")  # it is still ours, and held for as long again: what follows rests on that
            return await act(holder)

    async def _take_over(self, holder: Connection) -> None:
        """Copy all tables but those that were made anew; the serving generation stands still for as long as that takes."""
        await holder.execute("set local idle_in_transaction_session_timeout = 0")
        others = [table for one in self.where.projections if one.name != self._only for table in one.tables]
        async with self.connection.transaction():
            await take_over(self.connection, self.live.name, self.mine.name, others)
            await generation.make_whole(self.connection, self.mine.name)


async def _begin(where: Where, wanted: Wanted, connection: Connection, stack: AsyncExitStack, told: Told) -> _Work:
    """Return the work with its generation made or found again, and its reader started."""
    live = await generation.serving(connection)
    stands = await generation.positions(connection, live.name)
    reader = PartitionReader(where.kafka, APPLICATION)
    every = sorted({*places(where.names, where.tenants), *stands})
    await reader.start(dict.fromkeys(every, 0))
    stack.push_async_callback(reader.stop)
    mine = await _resumed(connection, where, wanted) or await _made(connection, where, wanted, live, reader)
    fold = DurableFold(mine.consumer, connection)
    return _Work(where, live, mine, connection, Filler(reader, fold, await fold.positions(every), told))


async def _resumed(connection: Connection, where: Where, wanted: Wanted) -> Generation | None:
    """Return the generation that the same words began.

    Raises:
        RebuildRefused: what is being built was asked for in other words, or by another release.
    """
    building = await generation.in_state(connection, "building")
    if building is None:
        return None
    give_up = f"finish {building.name} first, or give it up with `smolit projection rebuild --discard`"
    if building.asked != wanted.asked:
        raise RebuildRefused(f"`rebuild {building.asked}` is not finished: {give_up}")
    if other := changed(building.shape, shape_of(where.projections)):
        raise RebuildRefused(f"{building.name} was begun by another release ({', '.join(other)} differ): {give_up}")
    return building


async def _made(connection: Connection, where: Where, wanted: Wanted, live: Generation, reader: PartitionReader) -> Generation:
    """Return a new generation."""
    if wanted.only is not None and (other := set(changed(live.shape, shape_of(where.projections))) - {wanted.only}):
        raise RebuildRefused(f"this release also changed {', '.join(sorted(other))}: rebuild --all")
    marks = None if wanted.at is None else _named(await wanted.at(reader, await reader.ends()))
    async with connection.transaction():
        await make(connection, where.projections, wanted.asked, wanted.only, marks)
    made = await generation.in_state(connection, "building")
    if made is None:
        raise RebuildRefused("the generation was discarded as soon as it was made")
    return made


async def _report(work: _Work, begun: float, equal: bool | None, models: tuple[ModelReport, ...]) -> Rebuilt:
    """Return what became of it."""
    there = {one.name: one for one in await generation.generations(work.connection)}
    pace: Pace = work.filler.pace
    return Rebuilt(
        generation=work.mine.name,
        state=there[work.mine.name].state,
        records=pace.records,
        seconds=round(time.monotonic() - begun, 3),
        rate=round(pace.rate, 1),
        equal=equal,
        changed=tuple(changed(work.live.shape, work.mine.shape)),
        models=models,
    )


def _named(marks: Mapping[Place, int]) -> dict[str, int]:
    """Return marks as they are stored."""
    return {f"{topic}/{partition}": mark for (topic, partition), mark in sorted(marks.items())}


def _places(named: Mapping[str, int]) -> dict[Place, int]:
    """Return stored marks by partition."""
    split = [(name.rpartition("/"), mark) for name, mark in named.items()]
    return {(topic, int(partition)): mark for (topic, _, partition), mark in split}
