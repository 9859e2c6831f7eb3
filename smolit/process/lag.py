"""How far each durable fold is behind the log: records that lie in Kafka and have not been applied."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bus.reader import Place
from smolit.client import ends
from store.postgres import Connection

# A generation that was retired or kept stands where it stands on purpose.
_POSITIONS = """
select consumer, topic, partition, next from ops.fold_position
where topic like %s and not exists (
  select from ops.read_generation where state in ('retired', 'kept') and consumer = 'projections.' || name)
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


async def positions(connection: Connection, prefix: str) -> list[Position]:
    """Return where every fold that follows the log stands in the topics of this prefix; one is the generation being built."""
    cursor = await connection.execute(_POSITIONS, (prefix.replace("_", r"\_") + ".%",))
    return [Position(*row) for row in await cursor.fetchall()]


async def lags(kafka: str, connection: Connection, prefix: str) -> list[Lag]:
    """Return the lag of every fold by topic."""
    stand = await positions(connection, prefix)
    places = {(one.topic, one.partition) for one in stand}
    return summed(stand, await ends(kafka, places)) if places else []


def summed(stand: Sequence[Position], last: Mapping[Place, int]) -> list[Lag]:
    """Return the lags of all partitions of a topic together."""
    behind: dict[tuple[str, str], int] = {}
    for one in stand:
        key = (one.consumer, one.topic)
        behind[key] = behind.get(key, 0) + max(0, last[one.topic, one.partition] - one.next)
    return [Lag(consumer, topic, records) for (consumer, topic), records in sorted(behind.items())]
