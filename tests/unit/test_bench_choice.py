"""`smolit bench choice` in its smallest size: both policies, one by one and in a batch, from the command line."""

import json
from pathlib import Path

import pytest

from tests.said import command_line


def test_both_ways_are_timed_for_each_policy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Figures are per task, and a ratio is that of the same rounds; what is asked for stands with them."""
    file = tmp_path / "choice.json"

    said = command_line(capsys)(
        "bench", "choice", "--agents", "3,70", "--batch", "4", "--learned", "80", "--rounds", "2", "--json", str(file)
    )

    found = json.loads(file.read_text())
    assert said.code == 0
    assert (found["batch"], found["learned"], found["rounds"]) == (4, 80, 2)
    assert [(one["policy"], one["agents"]) for one in found["costs"]] == [
        (policy, agents) for policy in ("joint_thompson", "ridge_igw", "three_signals") for agents in (3, 70)
    ]  # fmt: skip
    for one in found["costs"]:
        for what in ("decision", "choice"):
            least = one[f"{what}_us"]["low"] / one[f"{what}_alone_us"]["high"]
            most = one[f"{what}_us"]["high"] / one[f"{what}_alone_us"]["low"]
            assert 0 < least <= one[f"{what}_ratio"]["value"] <= most
        assert one["choice_alone_us"]["value"] > one["decision_alone_us"]["low"]
        assert 0 < one["step_us"] <= one["step_p99_us"]
    assert all(policy in said.out for policy in ("joint_thompson", "ridge_igw", "three_signals"))


@pytest.mark.parametrize("agents", ["0", "3,", "many", "1001"])
def test_what_is_no_number_of_agents_is_refused(capsys: pytest.CaptureFixture[str], agents: str) -> None:
    """One sentence says what the option takes."""
    said = command_line(capsys)("bench", "choice", "--agents", agents)

    assert said.code == 2
    assert "--agents takes numbers from 1 to 1000" in said.err
