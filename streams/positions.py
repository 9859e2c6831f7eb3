"""How far a Faust processor's durable fold has come: what of a batch is new, and the transaction that moves on.

Faust hands over records from its group's last commit, which may lie behind our own position, never beyond it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from events.wire import Incoming
from store.fold import DurableFold, Move
from store.follow import Place, moves_of
from store.postgres import Connection


class Positions:
    """The positions of one fold, kept between batches until partitions move."""

    def __init__(self, fold: DurableFold) -> None:
        self._fold = fold
        self._known: dict[Place, int] = {}
        self._alone = asyncio.Lock()  # batches may overlap, but the connection has one transaction at a time

    def forget(self) -> None:
        """Read positions anew: partitions moved, and another process may have moved our positions."""
        self._known.clear()

    async def fresh(self, batch: Sequence[Incoming]) -> list[Incoming]:
        """Return the records that are not behind our positions."""
        places = {(record.topic, record.partition) for record in batch}
        while unknown := sorted(places - self._known.keys()):  # again, if all were forgotten while we waited
            async with self._alone:
                self._known.update(await self._fold.positions(unknown))
        return [record for record in batch if record.offset >= self._known[record.topic, record.partition]]

    async def move(self, fresh: Sequence[Incoming]) -> None:
        """Move the positions past these records, with which nothing is written.

        Raises:
            Fenced: another process moved a position.
        """
        moves = moves_of(fresh, self._known)
        async with self._alone:
            await self._fold.move(moves)
        self._note(moves)

    @asynccontextmanager
    async def step(self, fresh: Sequence[Incoming]) -> AsyncIterator[Connection]:
        """Open the transaction that moves the positions past these records; rows written inside commit with them.

        Raises:
            Fenced: another process moved a position.
        """
        moves = moves_of(fresh, self._known)
        async with self._alone, self._fold.step(moves) as connection:
            yield connection
        self._note(moves)

    def _note(self, moves: Sequence[Move]) -> None:
        self._known.update({(move.topic, move.partition): move.new for move in moves})
