"""The loop of a plain durable fold: fetch, apply and move in one transaction, again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from events.wire import Incoming
from store.fold import DurableFold, Move
from store.postgres import Connection

Place = tuple[str, int]
Apply = Callable[[Connection, Sequence[Incoming]], Awaitable[None]]


class Source(Protocol):
    """Where records come from: a Kafka reader, or a list in a test."""

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> Sequence[Incoming]:
        """Return the next records, in order within each partition; empty when nothing came in time."""
        ...


def moves_of(records: Sequence[Incoming], positions: Mapping[Place, int]) -> list[Move]:
    """Return the step of each partition that a batch covers."""
    last: dict[Place, int] = {}
    for record in records:
        last[record.topic, record.partition] = record.offset
    return [Move(topic, part, positions[topic, part], offset + 1) for (topic, part), offset in last.items()]


async def apply_batch(fold: DurableFold, positions: dict[Place, int], records: Sequence[Incoming], apply: Apply) -> None:
    """Apply one batch and move the positions with it, or do neither.

    Raises:
        Fenced: another process moved a position; nothing was written.
    """
    moves = moves_of(records, positions)
    async with fold.step(moves) as connection:
        await apply(connection, records)
    positions.update({(move.topic, move.partition): move.new for move in moves})


async def follow(
    source: Source,
    fold: DurableFold,
    positions: dict[Place, int],
    apply: Apply,
    stopped: Callable[[], bool],
    limit: int = 500,
    committed: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Fold until told to stop, and say so after each commit.

    Any error ends the loop: the runner starts the process again from the last commit.
    """
    while not stopped():
        records = await source.fetch(limit)
        if records:
            await apply_batch(fold, positions, records, apply)
            if committed is not None:
                await committed()
