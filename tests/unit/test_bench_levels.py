"""`smolit bench levels`: how a set is parted into two scopes, and that the table is what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.selection.elsewhere import LEVELS, NOTHING, ONE_SCOPE, parted, starts
from bench.selection.routing import RoutingInvalid
from smolit.cli.app import run
from tests.unit.test_bench_selection import routing, write_set


def test_two_scopes_share_no_domain_and_no_text() -> None:
    """Half of the domains are the other scope; so many texts of each are taken at most."""
    there, here = parted(routing(80), seed=4, there=10, here=0)

    assert len(there.keys) == 10
    assert (len(set(there.domains)), len(set(here.domains)), len(set(there.domains) | set(here.domains))) == (1, 1, 2)
    assert not set(there.keys) & set(here.keys)


def test_who_is_good_everywhere_is_had_at_once_from_the_levels() -> None:
    """Where one agent of eight is good at every text, the levels of another scope save most of what is lost at the start."""
    stream = routing(400, agents=8)
    scores = np.full(stream.scores.shape, 0.2)
    scores[:, 5] = 0.9
    found = [starts(replace(stream, scores=scores), seed, there=100) for seed in range(3)]

    def lost(way: str) -> float:
        return -float(np.mean([one[way].stream for one in found]))

    assert lost(LEVELS) < 0.5 * lost(NOTHING)
    assert lost(ONE_SCOPE) < 0.5 * lost(NOTHING)


def test_a_set_of_one_domain_is_refused() -> None:
    """There is no other scope then."""
    stream = routing(20)
    with pytest.raises(RoutingInvalid, match="one domain"):
        starts(replace(stream, domains=("left",) * 20), 1)


def test_the_command_prints_a_table_and_writes_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each way to start has a line, and starting from nothing is what the others are compared with."""
    write_set(tmp_path)
    code = run(["bench", "levels", "--data", str(tmp_path), "--set", "small", "--seeds", "2", "--json", str(tmp_path / "f")])

    told, found = capsys.readouterr(), json.loads((tmp_path / "f").read_text())
    assert code == 0, told.err
    assert list(found["rows"]) == sorted((NOTHING, LEVELS, ONE_SCOPE))
    assert found["rows"][NOTHING]["over_nothing"] == {"mean": 0.0, "half": 0.0}
    assert all(way in told.out for way in found["rows"])
