"""The memory under test: records into a real Postgres by the durable fold, and its read models out again."""

from collections.abc import Iterable, Sequence

from events.wire import Incoming
from projections.catalog import PROJECTIONS
from projections.column import metadata
from projections.fold import CONSUMER, ProjectionFold
from projections.projection import Projection
from projections.verify import Live, read_live
from store.fold import DurableFold
from store.follow import apply_batch
from store.postgres import connect
from tests.builders import NAMES

_FORGET = f"truncate {', '.join(table.fullname for table in metadata.tables.values())}, ops.fold_position"


async def remember(dsn: str, batches: Iterable[Sequence[Incoming]], projections: Sequence[Projection] = PROJECTIONS) -> Live:
    """Empty a migrated database, fold batches into it, and return its read models as they are then."""
    connection = await connect(dsn, "tests")
    try:
        await connection.execute(_FORGET.encode())
        fold = DurableFold(CONSUMER, connection)
        memory = ProjectionFold(NAMES, projections)
        for batch in batches:
            places = sorted({(record.topic, record.partition) for record in batch})
            await apply_batch(fold, await fold.positions(places), batch, memory.apply)
        return await read_live(connection)
    finally:
        await connection.close()


def unlike(one: Live, other: Live, but: Sequence[str] = ()) -> list[str]:
    """Return the read models that differ between two states."""
    return [name for name in one.tables if name not in but and one.tables[name] != other.tables[name]]
