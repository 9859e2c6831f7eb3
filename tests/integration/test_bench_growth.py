"""`smolit bench growth` in its smallest size: every axis is measured, and slopes are what the points say."""

from pathlib import Path

import msgspec
import pytest

from bench.command_growth import Figures, sizes_of, slopes_of, soak_of
from bench.growth import Point, Sample
from smolit.cli.app import OK, USAGE, run

_PIECES = {
    ("history", "projections"), ("history", "learning"), ("history", "selection"), ("history", "queue"), ("agents", "selection"),
    ("partitions", "idle reader, a second"), ("partitions", "reader, a task"),
    ("workers", "idle hands, a second"),
} | {
    ("workers", f"{who}, {load} tasks") for who in ("hands", "kafka for them", "postgres for them") for load in ("many", "few")
}  # fmt: skip


def test_every_axis_has_its_points_and_a_soak_its_samples(kafka: str, postgres: str, tmp_path: Path) -> None:
    """Each piece is measured at each size, as often as asked; the soak does all its tasks, and lets go of those that ended."""
    written = tmp_path / "figures.json"

    asked = ["--events", "16,80", "--agents", "2,3", "--partitions", "2", "--workers", "1", "--soak-tasks", "100"]
    sizes = ["--repeats", "1", "--tasks", "4", "--idle-s", "0.1", "--json", str(written)]
    assert run(["bench", "growth", *asked, *sizes, "--kafka", kafka, "--postgres", postgres]) == OK

    found = msgspec.json.decode(written.read_bytes(), type=Figures)
    assert {(one.axis, one.piece) for one in found.points} == _PIECES
    assert {(one.axis, one.piece) for one in found.slopes} == _PIECES
    assert {one.size for one in found.points if one.axis == "agents"} == {2, 3}
    assert found.soak is not None
    assert found.soak.tasks == 100


def test_sizes_are_read_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    """A k is a thousand, an M a million; what is no size is a mistake in what was typed."""
    assert sizes_of("10k, 1k,1M,7") == (7, 1_000, 10_000, 1_000_000)
    assert sizes_of("") == ()
    assert run(["bench", "growth", "--events", "many"]) == USAGE
    assert "many" in capsys.readouterr().err


def test_a_cost_that_grows_with_each_tenfold_has_that_slope() -> None:
    """One millisecond more for ten times the agents is a slope of one, of two on average a half."""
    points = [Point("agents", "selection", size, cost, 1.0, 0.1) for size, cost in ((10, 1.0), (100, 2.0), (1_000, 3.0))]

    (found,) = slopes_of(points)

    assert found.per_tenfold_ms.value == pytest.approx(1.0)
    assert found.share == pytest.approx(0.5)


def test_a_machine_that_was_slow_for_a_while_is_no_slope() -> None:
    """What costs twice as much where the fixed loop takes twice as long costs the same."""
    points = [Point("agents", "selection", size, cost, 1.0, cost / 10) for size, cost in ((10, 1.0), (100, 1.5), (1_000, 2.0))]

    (found,) = slopes_of(points)

    assert found.per_tenfold_ms.value == pytest.approx(0.0)
    assert found.cost_ms == pytest.approx(1.5)


def test_a_soak_counts_memory_after_it_has_warmed_up() -> None:
    """The first fifth fills caches; from there on the slope is MiB a thousand tasks."""
    samples = [Sample(100 * number, 50.0 if number < 2 else 100.0 + number, 0) for number in range(1, 11)]

    found = soak_of(samples)

    assert found.per_thousand_mib.value == pytest.approx(10.0)
    assert found.end_mib == 110.0
