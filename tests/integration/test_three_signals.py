"""The policy of three signals on a real stack: what it chose by is told, adds up, is learned from, and is true."""

import asyncio
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from events.request import GiveFeedback
from events.topics import Names
from smolit.cli.desk import now
from smolit.client import Ask, Client, Origin
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, caught_up, command_line, until

SCOPE = "sums"
SUM = "117 * 119 + 123"
AGENTS = {"adda": "Adds and multiplies numbers: arithmetic, sums, products.", "poet": "Writes poems about the sea."}


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, started once for this module in a namespace of their own."""
    with all_running(stack, tmp_path_factory.mktemp("signals")) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def registered(smolit: Smolit, tmp_path: Path) -> None:
    """Register two agents that do the same and are described otherwise, and let three signals choose between them."""
    for name, description in AGENTS.items():
        spec = tmp_path / f"{name}.yaml"
        spec.write_text(f"id: {name}\ndescription: {description!r}\nskills: [{SCOPE}]\npipeline: arithmetic\n")
        assert smolit("agent", "register", str(spec)).code == 0
    assert smolit("policy", "set", "three_signals", "--scope", SCOPE).code == 0

    def probed() -> Said:
        (answer,) = done(smolit, ["1 + 1"], tmp_path)
        return Said(0, json.dumps(why(smolit, answer["task_id"])), "")

    until(probed, lambda said: len(said.json["candidates"]) == len(AGENTS))  # until a worker serves both


def done(smolit: Smolit, texts: list[str], tmp_path: Path) -> list[dict[str, Any]]:
    """Submit texts, and return their answers."""
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "kind": SCOPE, "scope": SCOPE}) for text in texts))
    said = smolit("task", "submit", "--batch", str(path), "--wait", "--json")
    assert said.code == 0, said
    return [json.loads(line) for line in said.out.splitlines()]


def judge(settings: Settings, worth: Mapping[str, float]) -> None:
    """Give feedback on tasks, all at once."""
    asks = [Ask(GiveFeedback(task_id=task, rater="eve", value=value)) for task, value in worth.items()]

    async def send() -> None:
        origin = Origin(Names(settings.topic_prefix), "default", "test")
        async with Client(settings.kafka, origin, now, os.urandom) as client:
            await client.send(asks)

    asyncio.run(send())


def why(smolit: Smolit, task: str) -> dict[str, Any]:
    """Return the choice made for a task, once it is in the read models."""
    found = until(lambda: smolit("policy", "explain", task, "--json"), lambda said: said.code == 0 and bool(said.json))
    return dict(found.json[0])


def test_choices_by_three_signals_are_told_learned_from_and_true(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """Parts add up, with weights and fits; memory puts whoever did well at a text first; verify, replay and versions agree."""
    registered(smolit, tmp_path)
    answers = done(smolit, [SUM if number % 2 else f"{number} + {number}" for number in range(60)], tmp_path)
    judge(settings, {one["task_id"]: float(one["agent"] == "adda") for one in answers})
    replay = ("policy", "replay", "--policy", "three_signals", "--scope", SCOPE, "--json")
    until(lambda: smolit(*replay), lambda said: said.json["with_reward"] >= 60)  # all is learned from
    caught_up(smolit)

    def last() -> dict[str, Any]:
        return why(smolit, done(smolit, [SUM], tmp_path)[0]["task_id"])

    def remembers(choice: dict[str, Any]) -> bool:
        parts = {one["agent"]: one["parts"] for one in choice["candidates"]}
        learned = parts["adda"]["learned"] > parts["poet"]["learned"]
        return bool(learned and parts["adda"]["memory"] > 0.0 >= parts["poet"]["memory"])

    choice = last()
    for _ in range(60):
        if remembers(choice):
            break
        choice = last()
    parts = {one["agent"]: one["parts"] for one in choice["candidates"]}
    fits = {one["agent"]: one["fit"] for one in choice["candidates"]}

    assert choice["policy"] == "three_signals"
    assert set(choice["weights"]) == {"match", "learned", "history", "memory"}
    assert min(choice["weights"].values()) >= 0.0
    for one in choice["candidates"]:
        assert set(one["parts"]) == {"pooled", "match", "learned", "history", "memory"}
        assert math.fsum(one["parts"].values()) == pytest.approx(one["score"], abs=1e-9)
    assert parts["adda"]["memory"] > 0.0 >= parts["poet"]["memory"]
    assert parts["adda"]["learned"] > parts["poet"]["learned"]
    assert all(-1.0 <= fit <= 1.0 for fit in fits.values())
    assert fits["adda"] != fits["poet"]

    told = smolit("policy", "explain", choice["task_id"]).out
    assert "the match of text and description" in told
    assert "By what like tasks earned, adda comes first" in told
    assert "Proven on like tasks, by pgvector: adda (1)" in told

    models = smolit("projection", "verify", "--all", "--json", "-")
    assert (models.code, models.json["equal"]) == (0, True)
    verified = smolit("policy", "verify", "--json", "-")
    assert (verified.code, verified.json["mismatches"]) == (0, [])
    again = smolit(*replay).json
    assert again["decisions"] >= 60
    assert again["differing_share"] == 0.0  # with the fits that were recorded it decides as it did

    made = smolit("model", "register", "--scope", SCOPE, "--policy", "three_signals", "--json")
    assert made.code == 0, made.err
    judged = smolit("model", "validate", made.json["model"])
    assert made.json["origin"]["examples"] >= 60
    assert judged.code == 0, judged.err
    assert "recorded choices get sound probabilities" in judged.err + judged.out
