"""What a rebuild is asked for, how views keep their columns, and what a shape notices; without any server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy import BigInteger, MetaData, Table, Text

from bus.reader import PartitionReader, Place
from projections.catalog import PROJECTIONS
from projections.column import earliest, key, once
from projections.errors import GenerationForeign
from projections.fill import Pace
from projections.projection import Projection
from projections.shape import changed, require_ours, shape_of
from projections.task import TASKS
from projections.view import view_of
from smolit.cli import out
from smolit.cli.rebuild import Telling, wanted_of
from smolit.errors import UsageInvalid

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ENDS: Mapping[Place, int] = {("tasks", 0): 50, ("tasks", 1): 3}


class Clockwork:
    """A reader that knows of one moment only."""

    def __init__(self) -> None:
        self.asked: list[datetime] = []

    async def at(self, moment: datetime) -> dict[Place, int]:
        """Return the marks of a moment."""
        self.asked.append(moment)
        return {("tasks", 0): 7, ("tasks", 1): 1}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("10", {("tasks", 0): 10, ("tasks", 1): 3}),
        ("tasks/0=4", {("tasks", 0): 4, ("tasks", 1): 3}),
        ("tasks/0=4, tasks/1=99", {("tasks", 0): 4, ("tasks", 1): 3}),
        ("2029-12-31T23:00:00Z", {("tasks", 0): 7, ("tasks", 1): 1}),
    ],
)
async def test_a_past_moment_is_a_mark_in_each_partition(text: str, marks: Mapping[Place, int]) -> None:
    """A number is for every partition, offsets are for the named ones, a time is looked up; nothing lies behind an end."""
    at = wanted_of(None, True, text, NOW).at
    assert at is not None

    assert await at(cast(PartitionReader, Clockwork()), ENDS) == marks


async def test_a_span_is_counted_back_from_now() -> None:
    """`1h` is an hour ago."""
    reader, at = Clockwork(), wanted_of(None, True, "1h", NOW).at
    assert at is not None

    await at(cast(PartitionReader, reader), ENDS)

    assert reader.asked == [datetime(2029, 12, 31, 23, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("name", "everything", "at"),
    [(None, False, None), ("tasks", True, None), ("nothing", False, None), ("tasks", False, "3"), (None, True, "a=b")],
)
def test_what_cannot_be_meant_is_said(name: str | None, everything: bool, at: str | None) -> None:
    """A rebuild needs a read model or all of them, and a moment that is one."""
    with pytest.raises(UsageInvalid):
        wanted_of(name, everything, at, NOW)


async def test_a_partition_that_nobody_reads_is_named() -> None:
    """An offset of a topic that read models do not read cannot be meant."""
    at = wanted_of(None, True, "other/0=1", NOW).at
    assert at is not None

    with pytest.raises(UsageInvalid, match="other/0"):
        await at(cast(PartitionReader, Clockwork()), ENDS)


def test_a_view_keeps_its_columns_in_their_places() -> None:
    """Postgres replaces a view only if old columns stay where they are; a new one follows, wherever it is declared."""
    table = Table(
        "things_v2", MetaData(), key("id", Text, "id"), once("fresh", Text, "new"), once("old", Text, "old"), comment="Things."
    )
    view = view_of("things", table, {"state": ("'open'", "state")})

    replaced, made = view.statements(there=("id", "old", "state"))[0], view.statements()[0]

    assert replaced.startswith(
        "create or replace view public.things (id, old, state, fresh) as\nselect id, old, state, fresh from"
    )
    assert made.startswith("create or replace view public.things (id, fresh, old, state) as\nselect known.id, known.fresh")


def test_a_shape_notices_columns_rules_and_versions() -> None:
    """Whatever changes what a generation holds changes the digest of its read model, and of no other; a comment does not."""
    ours = shape_of(PROJECTIONS)
    column = next(iter(TASKS.tables[0].primary_key)).name
    plain = _shape(Table("t_v1", MetaData(), key(column, Text, "key"), once("n", BigInteger, "number"), comment="T."))
    said = _shape(Table("t_v1", MetaData(), key(column, Text, "key"), once("n", BigInteger, "count"), comment="T."))
    ruled = _shape(Table("t_v1", MetaData(), key(column, Text, "key"), earliest("n", BigInteger, "number"), comment="T."))
    newer = shape_of([_with(TASKS, version=2), *PROJECTIONS[1:]])

    assert plain == said != ruled
    assert changed(ours, newer) == ["tasks"]
    require_ours("g1", ours, PROJECTIONS)
    with pytest.raises(GenerationForeign, match=r"g1 .*tasks"):
        require_ours("g1", newer, PROJECTIONS)


def test_the_pace_says_how_long_it_still_takes() -> None:
    """Records a second so far, and the time that the rest takes at this rate; unknown before the first one."""
    assert (Pace(100, 400, 2.0).rate, Pace(100, 400, 2.0).left_s) == (50.0, 6.0)
    assert Pace(0, 400, 0.0).left_s is None


def test_who_does_not_look_at_a_terminal_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """How many of how many, the rate, and the time left; not more often than every few seconds."""
    with out.progress(total=1) as shown:
        telling = Telling(shown)
        for seconds in range(1, 12):
            telling(Pace(100 * seconds, 2_000, float(seconds)))

    told = [line for line in capsys.readouterr().err.splitlines() if "records" in line]
    assert told == ["500 of 2,000 records, 100 a second, 15 s left", "1,000 of 2,000 records, 100 a second, 10 s left"]


def _shape(table: Table) -> str:
    """Return the digest of tasks with another table."""
    return shape_of([_with(TASKS, tables=(table,))])["tasks"]


def _with(projection: Projection, **fields: object) -> Projection:
    """Return a read model with some fields changed."""
    known = {name: getattr(projection, name) for name in projection.__struct_fields__}
    return Projection(**{**known, **fields})
