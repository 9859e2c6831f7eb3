"""Where the figures of a bench go is looked at before it measures for minutes, or starts a server."""

from pathlib import Path

import pytest

from smolit.cli.app import USAGE, run


@pytest.mark.parametrize("name", ["projections", "growth", "start", "path"])
@pytest.mark.parametrize(("place", "told"), [("nowhere/figures.json", "there is no folder"), (".", "is a folder")])
def test_figures_that_could_not_be_written_are_not_measured(
    name: str, place: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is missing, or in the file's place, is told at once."""
    code = run(["bench", name, "--json", str(tmp_path / place)])

    said = capsys.readouterr().err
    assert code == USAGE
    assert told in said
    assert "starting" not in said


def test_nothing_to_measure_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any size no server is started to print empty tables."""
    code = run(["bench", "growth", "--events", "", "--agents", "", "--partitions", "", "--workers", ""])

    assert code == USAGE
    assert capsys.readouterr().err.startswith("Error: nothing to measure")
