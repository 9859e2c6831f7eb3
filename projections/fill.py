"""Filling a generation: the log is folded into it up to a mark, and no further."""

import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from bus.errors import LogChanged
from bus.reader import PartitionReader, Place
from events.topics import Names
from events.wire import Incoming
from projections.ahead import Ahead
from projections.runner import BATCH
from store.fold import DurableFold
from store.follow import Apply, apply_batch

# Kafka answers well within this; a log that ends before a mark never will.
_SILENCE_S = 30.0


class Pace(Struct, frozen=True):
    """How far a rebuild has come: records folded, records to fold as known now, and seconds spent on it."""

    records: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Return records a second."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Return seconds until the mark is reached at this rate; None: nothing was folded yet."""
        return (self.total - self.records) / self.rate if self.records else None


Told = Callable[[Pace], None]


class Filler:
    """Folds into one generation; its positions are durable, so whoever comes after a kill goes on from there."""

    def __init__(self, reader: PartitionReader, names: Names, fold: DurableFold, positions: dict[Place, int], told: Told) -> None:
        self._reader, self._fold, self._told = reader, fold, told
        self._ahead = Ahead(reader, names)
        self.positions = positions
        self._records, self._spent_s = 0, 0.0

    def missing(self, marks: Mapping[Place, int]) -> int:
        """Return how many records lie between where we are and the marks, in the partitions that we read."""
        return sum(max(0, marks.get(place, 0) - at) for place, at in self.positions.items())

    @property
    def pace(self) -> Pace:
        """Return how far we have come; only time spent on filling counts."""
        return Pace(self._records, self._records, self._spent_s)

    async def upto(self, marks: Mapping[Place, int], apply: Apply) -> None:
        """Fold every record before the marks.

        Raises:
            GenerationMoved, Fenced: the generation is no longer ours to fill.
            LogChanged: the log ends before a mark.
        """
        behind = self._behind(marks)
        await self._turn_to(behind)
        heard = time.monotonic()
        while behind:
            begun = time.monotonic()
            fetched = await self._ahead.fetch(BATCH)
            wanted = [record for record in fetched if record.offset < marks.get((record.topic, record.partition), 0)]
            if wanted:
                await self._fold_in(wanted, marks, apply, begun)
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_S:
                raise LogChanged(f"the log ends before the mark: {sorted(behind)}")
            behind = self._behind(marks)
            if len(wanted) < len(fetched):
                await self._turn_to(behind)  # those that are there must not send us what nobody wants
        await self._ahead.forget()

    async def _fold_in(self, records: Sequence[Incoming], marks: Mapping[Place, int], apply: Apply, begun: float) -> None:
        """Apply a batch, move the positions with it, and say how far we are."""
        await apply_batch(self._fold, self.positions, records, apply)
        self._records += len(records)
        self._spent_s += time.monotonic() - begun
        self._told(Pace(self._records, self._records + self.missing(marks), self._spent_s))

    async def _turn_to(self, behind: Mapping[Place, int]) -> None:
        """Read these partitions alone, each from where we stand."""
        await self._ahead.forget()
        self._reader.turn_to(behind)

    def _behind(self, marks: Mapping[Place, int]) -> dict[Place, int]:
        """Return where we stand in each partition whose mark is ahead."""
        return {place: at for place, at in self.positions.items() if at < marks.get(place, 0)}
