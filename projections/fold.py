"""The projections' fold: a batch of records becomes rows of the event log, of every read model, and dead letters."""

import asyncio
from collections.abc import Mapping, Sequence

from psycopg import DataError
from psycopg.errors import UniqueViolation

from events.topics import Names
from events.wire import Incoming
from projections.batch import Batch, Chunk
from projections.catalog import PROJECTIONS
from projections.column import SCHEMA
from projections.dead_letter import park
from projections.errors import GenerationMoved
from projections.event_log import LogRow, TakeIn, block_of, take_in, take_in_unknown
from projections.projection import Logged, Projection
from projections.sorting import Parked, SortedRecord, chunks, sorted_of
from projections.statement import Statement, run
from projections.tally import count
from store.generation import State, consumer_of, enter
from store.postgres import Connection

CONSUMER = consumer_of(SCHEMA)  # of the generation that migrations make
# One jsonb parameter holds at most 256 MB (Postgres); the payloads of a chunk are well below, also when escaped.
CHUNK_BYTES = 32_000_000
_SLICE = 16  # records that are read out at a time


class ProjectionFold:
    """Applies batches; positions are moved by the caller in the same transaction (`store.follow`)."""

    def __init__(
        self,
        names: Names,
        projections: Sequence[Projection] = PROJECTIONS,
        generation: str = SCHEMA,
        state: State = "serving",
        shape: Mapping[str, str] | None = None,
    ) -> None:
        """Fold into a generation as long as it is in a state and, if given, a shape: what a migration adds, we would miss."""
        self._names = names
        self._projections = projections
        self._generation, self._state, self._shape = generation, state, shape

    async def prepare(self, records: Sequence[Incoming]) -> Batch:
        """Read records out and work out what they change, piece by piece: in between, whoever waits for Postgres may go on."""
        return Batch([await self._chunk(chunk) for chunk in chunks(records, CHUNK_BYTES)])

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Write everything that a batch says, which this fold may have prepared; call it inside the step.

        Raises:
            GenerationMoved: the generation is no longer in the state and shape in which we fold it; nothing is written.
        """
        if not await enter(connection, self._generation, self._state, self._shape):
            raise GenerationMoved(f"generation {self._generation} is no longer {self._state}, or holds other read models")
        batch = records if isinstance(records, Batch) else await self.prepare(records)
        for chunk in batch.chunks:
            await self._apply(connection, chunk)

    async def _chunk(self, records: Sequence[Incoming]) -> Chunk:
        """Work out a chunk."""
        read: list[SortedRecord] = []
        for start in range(0, len(records), _SLICE):
            read += [sorted_of(record, self._names) for record in records[start : start + _SLICE]]
            await asyncio.sleep(0)
        facts, rows, parked = dict[str, Logged](), dict[str, LogRow](), list[Parked]()
        for one in read:
            if isinstance(one.found, Parked):
                parked.append(one.found)
            elif one.found.event.id not in facts:
                facts[one.found.event.id], rows[one.found.event.id] = one.found, one.row
        return Chunk(read, facts, parked, block_of(rows), await self._plan(read, list(facts.values()), parked))

    async def _plan(self, records: Sequence[Incoming], facts: Sequence[Logged], parked: Sequence[Parked]) -> list[Statement]:
        """Return what every read model makes of the facts that are new, and what is set aside and counted."""
        statements: list[Statement] = []
        kinds = {type(logged.event.fact) for logged in facts}
        for projection in self._projections:
            if not kinds.isdisjoint(projection.reads):
                statements += projection.plan(facts)
                await asyncio.sleep(0)
        return [*statements, *park(parked), *count(records, facts, parked)]

    async def _apply(self, connection: Connection, chunk: Chunk, way: TakeIn = take_in) -> None:
        """Write a chunk; if Postgres cannot hold a value in it, halve it until that record is alone, and park it."""
        try:
            async with connection.transaction():
                await self._write(connection, chunk, way)
        except UniqueViolation:  # something in it was told before
            if way is take_in_unknown:
                raise
            await self._apply(connection, chunk, take_in_unknown)
        except DataError as error:
            if len(chunk.records) == 1:
                await self._park(connection, chunk.records[0], error)
                return
            middle = len(chunk.records) // 2
            await self._apply(connection, await self._chunk(chunk.records[:middle]))
            await self._apply(connection, await self._chunk(chunk.records[middle:]))

    async def _write(self, connection: Connection, chunk: Chunk, way: TakeIn) -> None:
        """Write the log, every read model, the dead letters and the tally."""
        new, statements = await way(connection, chunk.facts.keys(), chunk.block), chunk.statements
        if len(new) < len(chunk.facts):
            fresh = [logged for event_id, logged in chunk.facts.items() if event_id in new]
            statements = await self._plan(chunk.records, fresh, chunk.parked)
        async with connection.pipeline():
            await run(connection, statements)

    async def _park(self, connection: Connection, record: Incoming, error: DataError) -> None:
        """Set one record aside that Postgres refuses."""
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        parked = Parked(record, "cannot_be_stored", detail)
        await run(connection, [*park([parked]), *count([record], [], [parked])])
