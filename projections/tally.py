"""How many records of each partition were applied, parked or repeated: with the positions they prove that none is gone."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import BigInteger, Table, Text

from events.wire import Incoming
from projections.column import key, metadata, summed
from projections.merge import Merge, Row
from projections.projection import Logged, compared, fetch
from projections.sorting import Parked
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

TALLY = Table(
    "fold_tally_v1",
    metadata,
    key("topic", Text, "Kafka topic"),
    key("partition", BigInteger, "Kafka partition"),
    summed("applied", BigInteger, "facts that were new and fed to the read models"),
    summed("parked", BigInteger, "records that no read model can read; they are dead letters"),
    summed("repeated", BigInteger, "facts whose id had been taken in before; they change nothing"),
    comment="Records of each partition by what became of them; applied + parked + repeated = all that was read.",
)
_MERGE = Merge(TALLY)
TALLY_VIEW = view_of("fold_tally", TALLY)
TALLY_COMPARED = compared(TALLY_VIEW, TALLY)


class TallyRow(Struct, frozen=True, kw_only=True):
    """One row of `fold_tally`."""

    topic: str
    partition: int
    applied: int
    parked: int
    repeated: int


async def tally(connection: Connection) -> list[TallyRow]:
    """Return what became of the records, by partition."""
    query = "select topic, partition, applied, parked, repeated from public.fold_tally order by topic, partition"
    return await fetch(connection, TallyRow, query)


def count(records: Sequence[Incoming], applied: Iterable[Logged], parked: Iterable[Parked]) -> list[Statement]:
    """Return what adds a batch; what was neither applied nor parked is a repeat."""
    read = Counter((record.topic, record.partition) for record in records)
    new = Counter((logged.topic, logged.partition) for logged in applied)
    aside = Counter((item.record.topic, item.record.partition) for item in parked)
    rows: list[Row] = [
        {
            "topic": place[0],
            "partition": place[1],
            "applied": new[place],
            "parked": aside[place],
            "repeated": total - new[place] - aside[place],
        }
        for place, total in read.items()
    ]
    return _MERGE.plan(rows)
