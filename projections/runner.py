"""The process: read all facts and dead letters from where Postgres says we are, fold, and say how far behind we are."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from bus.reader import MakeReader, PartitionReader, Place
from events.topics import FACT_TOPICS, Names
from events.wire import Incoming
from projections import knowledge_index
from projections.ahead import Ahead, Piecewise
from projections.catalog import PROJECTIONS
from projections.errors import GenerationMoved
from projections.fold import ProjectionFold
from projections.projection import Projection
from projections.shape import require_ours
from projections.similar_index import tended
from store.errors import Fenced
from store.fold import DurableFold, MakeFold
from store.follow import Source, follow
from store.generation import Generation, serving
from store.postgres import Connect, Connection, connect

OWNER = "projections"  # one process folds the serving generation, whichever that is
BATCH = 2_000
_TRY_TO_OWN = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
# A standby looks this often whether the owner is gone: Postgres frees the lock with the owner's connection.
STANDBY_S = 0.5
# A transaction costs the same for one record as for twenty; so long a read model waits for company.
GATHER_S = 0.2


def places(names: Names, tenants: Sequence[str]) -> list[Place]:
    """Return every partition that the projections read: all fact topics, and all dead letters."""
    every = names.all(tenants)
    facts = {names.of(topic) for topic in FACT_TOPICS}
    read = [name for name in every if name in facts or name.endswith(names.dead_letters_of(""))]
    return [(name, number) for name in sorted(read) for number in range(every[name].partitions)]


class Gathering:
    """A source that waits a moment for more once something came, so that a trickle does not cost a transaction each."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time."""
        records = list(await self._source.fetch(limit, wait_ms))
        if records and len(records) < limit:
            await asyncio.sleep(GATHER_S)
            records += await self._source.fetch(limit - len(records), 0)
        return records


class Projector:
    """One projections process. A second one stands by until the first is gone; the positions fence off a zombie."""

    def __init__(
        self,
        kafka: str,
        dsn: str,
        names: Names,
        tenants: Sequence[str],
        *,
        projections: Sequence[Projection] = PROJECTIONS,
        connect: Connect = connect,
        make_reader: MakeReader = PartitionReader,
        make_fold: MakeFold = DurableFold,
    ) -> None:
        self._kafka, self._dsn = kafka, dsn
        self._names = names
        self._places = places(names, tenants)
        self._projections = projections
        self._connect, self._make_reader, self._make_fold = connect, make_reader, make_fold
        self._reader = make_reader(kafka, OWNER)
        self._positions: dict[Place, int] = {}

    async def run(self, stopped: Callable[[], bool]) -> None:
        """Fold the generation that serves, and the next one as soon as that serves, until told to stop.

        Raises:
            Fenced: another process moved our positions.
            GenerationForeign: another release made the generation that serves.
            LogChanged: the log is not the one that our positions are from.
        """
        connection = await self._connect(self._dsn, OWNER)
        try:
            if await _own(connection, stopped):
                while not stopped():
                    await self._follow(connection, await serving(connection), stopped)
        finally:
            await connection.close()

    async def lag(self) -> int | None:
        """Return how many records are not yet applied, or None while standing by or starting."""
        if not self._positions:
            return None
        ends = await self._reader.ends()
        return sum(max(0, end - self._positions[place]) for place, end in ends.items())

    async def _follow(self, connection: Connection, generation: Generation, stopped: Callable[[], bool]) -> None:
        """Fold one generation from where Postgres says it is, for as long as it serves."""
        require_ours(generation.name, generation.shape, self._projections)
        fold = self._make_fold(generation.consumer, connection)
        memory = ProjectionFold(self._names, self._projections, generation.name, shape=generation.shape)
        positions = await fold.positions(self._places)
        self._reader = self._make_reader(self._kafka, generation.consumer)
        ahead = Ahead(Gathering(Piecewise(self._reader)), memory.prepare)
        try:
            await self._reader.start(positions)
            self._positions = positions
            index = partial(self._connect, self._dsn, f"{OWNER}.index")
            async with tended(index, generation.name), knowledge_index.tended(index, generation.name):
                await follow(ahead, fold, positions, memory.apply, stopped, BATCH)
        except GenerationMoved:
            return  # another one serves now, or this one was migrated: nothing of this step was written
        except Fenced:
            if (await serving(connection)).name == generation.name:
                raise
            # It was dropped with its positions, as soon as another one served: that one is next.
        finally:
            self._positions = {}
            await ahead.forget()
            await self._reader.stop()


async def _own(connection: Connection, stopped: Callable[[], bool]) -> bool:
    """Wait until this process is the only one that folds; return False if told to stop first."""
    while not stopped():
        cursor = await connection.execute(_TRY_TO_OWN, (OWNER,))
        row = await cursor.fetchone()
        if row and row[0]:
            return True
        await asyncio.sleep(STANDBY_S)
    return False
