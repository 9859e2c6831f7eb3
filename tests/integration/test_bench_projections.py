"""`smolit bench projections` in its smallest size: what it folds, makes anew and copies is the same."""

from pathlib import Path

import msgspec

from bench.command_projections import Figures, rate_of
from bench.story import FACTS
from smolit.cli.app import OK, run

TASKS = 12


def test_what_is_copied_and_made_anew_is_what_was_folded(kafka: str, postgres: str, tmp_path: Path) -> None:
    """Every fact of the history is folded, the rebuild is equal, and as many rows are copied as were folded."""
    written = tmp_path / "figures.json"

    asked = ["--tasks", str(TASKS), "--rounds", "1", "--json", str(written), "--kafka", kafka, "--postgres", postgres]
    assert run(["bench", "projections", *asked]) == OK

    found = msgspec.json.decode(written.read_bytes(), type=Figures)
    (only,) = found.rounds
    assert found.events == TASKS * FACTS
    assert only.equal
    assert only.rows == only.rows_copied > TASKS * FACTS


def test_a_rate_counts_from_the_first_look_to_the_last() -> None:
    """What was there at the first look took a time that nobody saw."""
    assert rate_of([(100, 1.0), (200, 2.0), (400, 4.0)]) == 100.0
    assert rate_of([(100, 1.0)]) == 0.0
