"""Filling a generation: the log is folded into it up to a mark, and no further."""

import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from bus.errors import LogChanged
from bus.reader import PartitionReader, Place
from events.wire import Incoming
from projections.ahead import Ahead, Piecewise
from projections.fold import ProjectionFold
from store.fold import DurableFold
from store.follow import apply_batch

# Kafka answers well within this; a log that ends before a mark never will.
_SILENCE_S = 30.0
# Nobody waits for these rows, and what a transaction costs by itself is shared by more of them; but Postgres waits for the first.
_FIRST, _BATCH = 500, 4_000


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


class Before:
    """A reader up to a mark in each partition: a partition that is there rests, however much its log goes on.

    What lies behind a mark is not even worked out: while the serving generation is held still, that would be most of the work.
    """

    def __init__(self, reader: PartitionReader, marks: Mapping[Place, int]) -> None:
        self._reader, self._marks = reader, marks

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next records before the marks, in order within each partition; empty when there were none in time."""
        records = await self._reader.fetch(limit, wait_ms)
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        self._reader.leave([place for place, end in ends.items() if end >= self._marks.get(place, 0)])
        return [record for record in records if record.offset < self._marks.get((record.topic, record.partition), 0)]


class Filler:
    """Folds into one generation; its positions are durable, so whoever comes after a kill goes on from there."""

    def __init__(self, reader: PartitionReader, fold: DurableFold, positions: dict[Place, int], told: Told) -> None:
        self._reader, self._fold, self._told = reader, fold, told
        self.positions = positions
        self._records, self._spent_s = 0, 0.0

    def missing(self, marks: Mapping[Place, int]) -> int:
        """Return how many records lie between where we are and the marks, in the partitions that we read."""
        return sum(max(0, marks.get(place, 0) - at) for place, at in self.positions.items())

    @property
    def pace(self) -> Pace:
        """Return how far we have come; only time spent on filling counts."""
        return Pace(self._records, self._records, self._spent_s)

    async def upto(self, marks: Mapping[Place, int], memory: ProjectionFold) -> None:
        """Fold every record before the marks.

        Raises:
            GenerationMoved, Fenced: the generation is no longer ours to fill.
            LogChanged: the log ends before a mark.
        """
        self._reader.turn_to(self._behind(marks))
        ahead = Ahead(Piecewise(Before(self._reader, marks)), memory.prepare)
        try:
            await self._upto(marks, memory, ahead)
        finally:
            await ahead.forget()

    async def _upto(self, marks: Mapping[Place, int], memory: ProjectionFold, ahead: Ahead) -> None:
        heard, size = time.monotonic(), _FIRST
        while behind := self._behind(marks):
            begun = time.monotonic()
            records = await ahead.fetch(size)
            size = min(2 * size, _BATCH)
            if records:
                await apply_batch(self._fold, self.positions, records, memory.apply)
                self._say(len(records), marks, begun)
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_S:
                raise LogChanged(f"the log ends before the mark: {sorted(behind)}")

    def _say(self, records: int, marks: Mapping[Place, int], begun: float) -> None:
        """Say how far we are, now that so many records more are folded."""
        self._records += records
        self._spent_s += time.monotonic() - begun
        self._told(Pace(self._records, self._records + self.missing(marks), self._spent_s))

    def _behind(self, marks: Mapping[Place, int]) -> dict[Place, int]:
        """Return where we stand in each partition whose mark is ahead."""
        return {place: at for place, at in self.positions.items() if at < marks.get(place, 0)}
