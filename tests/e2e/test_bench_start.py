"""`smolit bench start` in its smallest size: one start that makes the folder, and one that finds it."""

from pathlib import Path

import msgspec

from bench.command_start import Figures
from smolit.cli.app import OK, run


def test_a_warm_start_ends_in_an_answer_and_tells_its_steps(tmp_path: Path) -> None:
    """The stack is started, asked, stopped and started again; the steps are told in order, the answer comes last."""
    written = tmp_path / "figures.json"

    assert run(["bench", "start", "--rounds", "1", "--json", str(written)]) == OK

    found = msgspec.json.decode(written.read_bytes(), type=Figures)
    (warm,) = found.rounds
    steps = [one.after_s for one in warm.told]
    assert warm.answered
    assert steps == sorted(steps)
    assert steps[-1] <= warm.up_s <= warm.answer_s
    assert any("processes are ready" in one.line for one in warm.told)
