"""How far each durable fold is behind the log: records that lie in Kafka and have not been applied."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bus.reader import Place
from smolit.client import ends
from store.generation import State
from store.postgres import Connection

RESTING: tuple[State, ...] = ("building", "retired", "kept")
# Retired and kept generations stand still on purpose; how far the one is that is being built is its rebuild's affair.
_POSITIONS = """
select consumer, topic, partition, next from ops.fold_position
where topic like %s and not exists (
  select from ops.read_generation where state = any(%s) and consumer = 'projections.' || name)
order by consumer, topic, partition"""


class Position(Struct, frozen=True):
    """Where one fold stands in one partition: `next` is the first record that it has not applied."""

    consumer: str
    topic: str
    partition: int
    next: int


class Lag(Struct, frozen=True):
    """How many records of one topic one fold has not applied yet."""

    consumer: str
    topic: str
    records: int


async def positions(connection: Connection, prefix: str, resting: Sequence[State] = RESTING) -> list[Position]:
    """Return where every fold stands in the topics of this prefix, but for generations of read models that rest."""
    cursor = await connection.execute(_POSITIONS, (prefix.replace("_", r"\_") + ".%", list(resting)))
    return [Position(*row) for row in await cursor.fetchall()]


async def lags(kafka: str, connection: Connection, prefix: str, resting: Sequence[State] = RESTING) -> list[Lag]:
    """Return the lag of every fold by topic, but for generations of read models that rest."""
    stand = await positions(connection, prefix, resting)
    places = {(one.topic, one.partition) for one in stand}
    return summed(stand, await ends(kafka, places)) if places else []


def summed(stand: Sequence[Position], last: Mapping[Place, int]) -> list[Lag]:
    """Return the lags of all partitions of a topic together."""
    behind: dict[tuple[str, str], int] = {}
    for one in stand:
        key = (one.consumer, one.topic)
        behind[key] = behind.get(key, 0) + max(0, last[one.topic, one.partition] - one.next)
    return [Lag(consumer, topic, records) for (consumer, topic), records in sorted(behind.items())]
