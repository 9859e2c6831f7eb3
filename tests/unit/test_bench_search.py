"""`smolit bench search`: what it scores on is not what it judges on, and equal seeds give equal trials."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.make_sample import SAMPLE_SET
from bench.selection import search as command
from bench.selection.command import SAMPLE
from bench.selection.routing import held_out, open_set
from events.search import Budget
from learning.hashed import HashedEncoder
from smolit.cli.app import run
from smolit.search.space import space_of

AGENTS = ("Yi-34B", "mathstral-7B", "Mixtral-8x7B-Instruct-v0.1")


def about(**more: Any) -> dict[str, Any]:
    """Return a small search."""
    budget = Budget(trials=4, seconds=300.0, workers=2)
    plain = {"policy": "ridge_igw", "space": space_of("ridge_igw", None), "seed": 1, "budget": budget, "orders": 2}
    return {**plain, "judge_orders": 3, **more}


def test_it_searches_on_one_half_and_judges_on_the_other() -> None:
    """Scores turned round on the other half: the same trials, other figures; twice the same: the same all over."""
    stream, _ = open_set(SAMPLE, SAMPLE_SET, AGENTS, HashedEncoder())
    seen, unseen = held_out(stream, command.HELD_OUT)
    others = set(unseen.keys)
    turned = stream.scores.copy()
    for row, key in enumerate(stream.keys):
        if key in others:
            turned[row] = 1.0 - turned[row]
    reports = [command.looked_for(each, about()) for each in (stream, stream, replace(stream, scores=turned))]
    trials = [
        [(one.arm, one.number, one.parameters, one.scored.score, one.scored.steps) for one in each.trials] for each in reports
    ]

    assert not others & set(seen.keys)
    assert trials[0] == trials[1] == trials[2]
    assert reports[0].judgement == reports[1].judgement
    assert reports[0].judgement.figures["default"] != reports[2].judgement.figures["default"]
    assert reports[0].best.scored.score == max(score or 0.0 for arm, _, _, score, _ in trials[0] if arm == "guided")
    assert len(trials[0]) == 8


def test_the_command_writes_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table with its verdict, and as JSON; what cannot be meant is refused."""
    file = tmp_path / "found.json"
    words = ["bench", "search", "--features", "hashed", "--agents", ",".join(AGENTS), "--trials", "2", "--orders", "1"]
    code = run([*words, "--policy", "ridge_igw", "--judge-orders", "2", "--json", str(file)])
    told = json.loads(file.read_text())
    refused = [
        run(words),
        run([*words, "--policy", "fixed"]),
        run([*words, "--policy", "ridge_igw", "--json", "/no/such/folder/x"]),
    ]

    assert code == 0
    assert "orders of texts that no trial saw" in told["judgement"]["verdict"]
    assert told["judgement"]["verdict"][:30] in capsys.readouterr().out
    assert refused == [2, 2, 2]
