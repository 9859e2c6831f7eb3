"""Reading ahead: records in order, each once, and nothing of what was given up."""

import asyncio
from collections.abc import Sequence

import pytest

from bus.errors import LogChanged
from events.wire import Incoming
from projections.ahead import Ahead, Piecewise
from projections.batch import Batch
from projections.fold import ProjectionFold
from tests.builders import NAMES
from tests.histories import history

prepare = ProjectionFold(NAMES).prepare


class Tape:
    """A source that plays its batches one after the other, and breaks at the end if it is to."""

    def __init__(self, batches: Sequence[Sequence[Incoming]], ends_with: Exception | None = None) -> None:
        self._left, self._ends_with = [list(batch) for batch in batches], ends_with
        self.fetched = 0

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return the next batch."""
        self.fetched += 1
        if self._left:
            return self._left.pop(0)
        if self._ends_with is not None:
            raise self._ends_with
        return []


async def test_records_come_once_in_order_and_worked_out() -> None:
    """What is handed out is what the source gave, with all that it changes."""
    records = history(1)
    ahead = Ahead(Tape([records[:100], records[100:]]), prepare)

    first = await ahead.fetch()
    got = [*first, *await ahead.fetch()]
    await ahead.forget()

    assert [record.origin for record in got] == [record.origin for record in records]
    assert isinstance(first, Batch)
    assert all(chunk.facts and chunk.statements and chunk.block for chunk in first.chunks)


async def test_the_next_batch_is_fetched_while_this_one_is_in_hand() -> None:
    """Whoever writes a batch finds the next one read out already."""
    tape = Tape([history(1)[:50], history(2)[:50]])
    ahead = Ahead(tape, prepare)

    await ahead.fetch()
    await asyncio.sleep(0)
    await ahead.forget()

    assert tape.fetched == 2


async def test_what_was_read_ahead_is_given_up_when_the_source_is_turned() -> None:
    """After that only what the source gives anew is handed out, and a failure of what was given up is nobody's."""
    records = history(1)[:60]
    ahead = Ahead(Tape([records[:20], records[20:40], records[40:]]), prepare)

    await ahead.fetch()
    await asyncio.sleep(0)
    await ahead.forget()
    got = await ahead.fetch()
    await ahead.forget()

    assert [record.origin for record in got] == [record.origin for record in records[40:]]


async def test_a_failure_meets_whoever_fetches_next() -> None:
    """What broke while it was read ahead is told once it is asked for."""
    ahead = Ahead(Tape([history(1)[:10]], LogChanged("gone")), prepare)
    await ahead.fetch()

    with pytest.raises(LogChanged):
        await ahead.fetch()


class Tap:
    """A source that has so many records at once, and remembers how many were asked for at a time."""

    def __init__(self, records: Sequence[Incoming]) -> None:
        self._left, self.asked = list(records), list[tuple[int, int]]()

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Return as many as are asked for, or what is left."""
        self.asked.append((limit, wait_ms))
        given, self._left = self._left[:limit], self._left[limit:]
        return given


@pytest.mark.parametrize("there", [0, 1, 99, 100, 101, 250, 260])
async def test_pieces_are_all_that_is_there_and_no_more_than_was_asked_for(there: int) -> None:
    """Only the first piece is waited for, and a piece that is not full is the last."""
    records = (history(1) + history(2))[:there]
    tap = Tap(records)

    got = await Piecewise(tap).fetch(250, 200)

    assert got == records[:250]
    assert len(records) == there
    assert [wait for _, wait in tap.asked] == [200, *[0] * (len(tap.asked) - 1)]
    assert sum(limit for limit, _ in tap.asked) <= max(250, 100 + there)
