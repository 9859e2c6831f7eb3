"""Filling up to a mark: what lies behind it is neither worked out nor waited for, however far the log goes on."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from bus.errors import LogChanged
from bus.reader import PartitionReader, Place
from events.wire import Incoming
from projections import fill
from projections.fill import Filler, Pace
from projections.fold import ProjectionFold
from store.fold import DurableFold, Move

PLACES = [("tasks", number) for number in range(12)]


class Log:
    """A reader of partitions that are all as long, of which those that rest give nothing."""

    def __init__(self, length: int) -> None:
        self._length, self._next, self._awake = length, dict.fromkeys(PLACES, 0), set(PLACES)
        self.read = 0

    def turn_to(self, positions: Mapping[Place, int]) -> None:
        """Read on from there, and nowhere else."""
        self._awake = set(positions)
        self._next |= positions

    def leave(self, places: Iterable[Place]) -> None:
        """Let some rest."""
        self._awake -= set(places)

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return what the first one that is awake has, then the next one's."""
        found: list[Incoming] = []
        for place in sorted(self._awake):
            more = range(self._next[place], min(self._length, self._next[place] + limit - len(found)))
            found += [Incoming(*place, offset, None, (), None) for offset in more]
            self._next[place] = more.stop
        self.read += len(found)
        return found


class Noted:
    """Fold and memory at once: notes what was worked out, and what was applied."""

    def __init__(self) -> None:
        self.prepared, self.applied = list[Incoming](), list[Incoming]()

    @asynccontextmanager
    async def step(self, _moves: Iterable[Move]) -> AsyncIterator[None]:
        """Commit whatever comes."""
        yield

    async def prepare(self, records: Sequence[Incoming]) -> Sequence[Incoming]:
        """Note what is worked out."""
        self.prepared += records
        return records

    async def apply(self, _connection: object, records: Sequence[Incoming]) -> None:
        """Note what is applied."""
        self.applied += records


async def filled(log: Log, noted: Noted, marks: Mapping[Place, int]) -> Filler:
    """Fill up to the marks."""
    told: list[Pace] = []
    filler = Filler(cast(PartitionReader, log), cast(DurableFold, noted), dict.fromkeys(PLACES, 0), told.append)
    await filler.upto(marks, cast(ProjectionFold, cast(Any, noted)))
    assert told[-1].records == told[-1].total == sum(marks.values())
    return filler


async def test_nothing_behind_a_mark_is_worked_out() -> None:
    """A serving generation that is far behind its log is caught up with at the price of what it has, not of the log."""
    log, noted = Log(5_000), Noted()
    marks = {place: 40 + 7 * place[1] for place in PLACES}

    filler = await filled(log, noted, marks)

    assert filler.positions == marks
    assert noted.prepared == noted.applied
    assert len(noted.applied) == sum(marks.values())
    assert log.read <= sum(marks.values()) + 100 * len(PLACES)  # a piece too many in each at most


async def test_a_second_mark_goes_on_where_the_first_one_was() -> None:
    """What was read behind the first mark and passed over is read again."""
    log, noted = Log(200), Noted()
    filler = await filled(log, noted, dict.fromkeys(PLACES, 33))

    await filler.upto(dict.fromkeys(PLACES, 200), cast(ProjectionFold, cast(Any, noted)))

    offsets = {place: [one.offset for one in noted.applied if (one.topic, one.partition) == place] for place in PLACES}
    assert offsets == {place: list(range(200)) for place in PLACES}


async def test_a_log_that_ends_before_its_mark_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for what was deleted."""
    monkeypatch.setattr(fill, "_SILENCE_S", 0.0)

    with pytest.raises(LogChanged, match="ends before the mark"):
        await filled(Log(10), Noted(), dict.fromkeys(PLACES, 11))
