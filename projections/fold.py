"""The projections' fold: a batch of records becomes rows of the event log, of every read model, and dead letters."""

from collections.abc import Mapping, Sequence

from psycopg import DataError

from events.topics import Names
from events.wire import Incoming
from projections.catalog import PROJECTIONS
from projections.column import SCHEMA
from projections.dead_letter import park
from projections.errors import GenerationMoved
from projections.event_log import take_in
from projections.projection import Logged, Projection
from projections.sorting import Parked, chunks, sorted_of
from projections.tally import count
from store.generation import State, consumer_of, enter
from store.postgres import Connection

CONSUMER = consumer_of(SCHEMA)  # of the generation that migrations make
# One jsonb parameter holds at most 256 MB (Postgres); the payloads of a chunk are well below, also when escaped.
CHUNK_BYTES = 32_000_000


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

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Write everything that a batch says; call it inside the step.

        Raises:
            GenerationMoved: the generation is no longer in the state and shape in which we fold it; nothing is written.
        """
        if not await enter(connection, self._generation, self._state, self._shape):
            raise GenerationMoved(f"generation {self._generation} is no longer {self._state}, or holds other read models")
        for chunk in chunks(records, CHUNK_BYTES):
            await self._apply(connection, chunk)

    async def _apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Write a chunk; if Postgres cannot hold a value in it, halve it until that record is alone, and park it."""
        try:
            async with connection.transaction():
                await self._write(connection, records)
        except DataError as error:
            if len(records) == 1:
                await self._park(connection, records[0], error)
                return
            middle = len(records) // 2
            await self._apply(connection, records[:middle])
            await self._apply(connection, records[middle:])

    async def _write(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Write the log, every read model, the dead letters and the tally."""
        found = [sorted_of(record, self._names) for record in records]
        parked = [one.found for one in found if isinstance(one.found, Parked)]
        fresh = await take_in(connection, [(one.found, one.row) for one in found if isinstance(one.found, Logged)])
        async with connection.pipeline():  # the rows of the next read model are made while Postgres writes the last one's
            for projection in self._projections:
                await projection.apply(connection, fresh)
            await park(connection, parked)
            await count(connection, records, fresh, parked)

    async def _park(self, connection: Connection, record: Incoming, error: DataError) -> None:
        """Set one record aside that Postgres refuses."""
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        parked = Parked(record, "cannot_be_stored", detail)
        await park(connection, [parked])
        await count(connection, [record], [], [parked])
