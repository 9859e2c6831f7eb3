"""Workers of numbers on a real stack: a task is submitted, the agent is found by its kind, and the answer is right."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Smolit, command_line, until

CSV = "region;amount\nnorth;1,5\nsouth;2\nnorth;3\n"
WAVE = [round(10 + place / 10 + (3, 1, -2, 0)[place % 4], 3) for place in range(48)]
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "finance": ("What is the monthly payment of a loan of 10,000 at 5 % over 3 years?", {}),
    "table": ("total amount by region", {"csv": CSV}),
    "forecast": ("the next 4 quarters", {"values": WAVE, "season": 4}),
}


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes; the shipped agents are registered by then."""
    with all_running(stack, tmp_path_factory.mktemp("numbers")) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def output(smolit: Smolit, kind: str) -> Any:
    """Have a task of a kind done; return the output."""
    text, given = TASKS[kind]
    said = smolit("task", "submit", text, "--kind", kind, "--input", json.dumps(given), "--wait", "--json")
    assert said.code == 0, said
    return said.json["output"]


def test_a_forecast_a_payment_and_a_table_come_out_right(smolit: Smolit) -> None:
    """Each agent answers through requests, choice, queue and answers as it does alone."""
    payment, table, ahead = (output(smolit, kind) for kind in TASKS)

    assert payment["result"]["payment"] == pytest.approx(299.70897, abs=1e-4)
    assert (table["rows"], table["by"]) == ([["north", 4.5], ["south", 2.0]], "rules")
    assert [one["value"] for one in ahead["forecast"]] == pytest.approx([17.8, 15.9, 13.0, 15.1], abs=0.2)
    assert all(one["low"] <= one["value"] <= one["high"] for one in ahead["forecast"])


def test_what_has_no_answer_fails_with_its_reason(smolit: Smolit) -> None:
    """SQL that reaches for the environment ends as a failed task that names why."""
    said = smolit(
        "task",
        "submit",
        "x",
        "--kind",
        "table",
        "--input",
        json.dumps({"csv": CSV, "sql": "select getenv('HOME')"}),
        "--wait",
        "--json",
    )

    assert said.code == 1, said
    assert "not_allowed" in said.out + said.err


def test_who_did_what_is_told_by_kind(smolit: Smolit) -> None:
    """Each agent's attempts stand under the kind of task they were at; nobody is ranked by so few."""
    output(smolit, "finance")

    found = until(
        lambda: smolit("agent", "subtasks", "--kind", "finance", "--json"), lambda said: any(one["attempts"] for one in said.json)
    ).json

    assert [(one["agent"], one["rank"]) for one in found] == [("finance", None)]
    assert "too few" in smolit("agent", "subtasks").out
