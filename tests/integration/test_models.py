"""Models inside an agent on a real stack: cards as facts, choices as steps, and what feedback teaches about models."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from learning.outcomes import Outcomes
from smolit.cli import app
from smolit.settings import PROJECT, Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, command_line, until

CARD = """name: {name}
version: "{version}"
kind: rule
description: {about}
subtasks: [echo]
pipeline: recorded
settings: {{data: bench/data/mmlupro_mid9, model: "{model}"}}
price: {{call: 40}}
"""
AGENT = """id: echo
description: Answers exam questions with whichever model has proved best.
skills: [echo]
pipeline: model
settings: {any: {subtask: echo}, domain: subject}
"""
PROMPTS = Outcomes.load(PROJECT / "bench" / "data", "mmlupro_mid9").prompts
MODELS = {"yi": "Yi-34B", "phi": "Phi-3-mini-4k-instruct"}


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and one agent with two models."""
    folder = tmp_path_factory.mktemp("models")
    with all_running(stack, folder) as running:
        cards = [written(folder, name) for name in MODELS]
        (folder / "echo.yaml").write_text(AGENT)
        assert app.run(["card", "register", *map(str, cards)]) == 0
        assert app.run(["agent", "register", str(folder / "echo.yaml")]) == 0
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def written(folder: Path, name: str, version: str = "1") -> Path:
    """Return a card's file."""
    path = folder / f"card-{name}.yaml"
    path.write_text(CARD.format(name=name, version=version, about=f"Answers of {name}.", model=MODELS[name]))
    return path


def done(smolit: Smolit, number: int) -> str:
    """Have the agent answer a question, and return the task's id once the end of its attempt is known."""
    given = json.dumps({"prompt_id": PROMPTS[number].prompt_id, "subject": "law"})
    said = smolit("task", "submit", f"question {number}", "--kind", "echo", "--input", given, "--wait", "--json")
    assert said.code == 0, said
    task = str(said.json["task_id"])
    until(lambda: smolit("policy", "explain", task, "--json"), lambda said: said.code == 0 and over(smolit, task))
    return task


def over(smolit: Smolit, task: str) -> bool:
    """Say whether the end of a task's attempt is known: its choice and its answer may be known before."""
    said = smolit("task", "show", task, "--json")
    return said.code == 0 and any(one["outcome"] for one in said.json["attempts"])


def card(smolit: Smolit, name: str) -> Said:
    """Ask for a model's card."""
    return smolit("card", "show", name, "--json")


def choice_of(smolit: Smolit, task: str) -> dict[str, object]:
    """Return the choice among models that a task's attempt made."""
    (choice,) = smolit("policy", "explain", task, "--json").json[0]["models"]
    return dict(choice)


def test_cards_are_facts_and_choices_are_explained(smolit: Smolit) -> None:
    """Two cards are listed; the step says which one was chosen, how likely that was, and `policy explain` says why in words."""
    listed = until(lambda: smolit("card", "list", "--json"), lambda said: {one["name"] for one in said.json} >= set(MODELS))
    task = done(smolit, 0)

    choice = choice_of(smolit, task)
    told, shown = smolit("policy", "explain", task).out, smolit("task", "show", task).out
    attempt = smolit("task", "show", task, "--json").json["attempts"][0]

    assert {one["state"] for one in listed.json if one["name"] in MODELS} == {"active"}
    assert {one["model"] for one in choice["candidates"]} == {"yi/1", "phi/1"}  # type: ignore[attr-defined]
    assert choice["domain"] == "law"
    assert sum(one["probability"] for one in choice["candidates"]) == pytest.approx(1.0)  # type: ignore[attr-defined]
    assert f"model {choice['model']} was chosen for echo in domain law out of 2" in " ".join(told.split())
    assert str(choice["model"]) in shown
    assert attempt["cost_microusd"] == 40


def test_what_a_task_was_judged_is_what_its_model_is_measured_by(smolit: Smolit) -> None:
    """Feedback on the task is the model's reward in its domain, and the next choice has learned it."""
    task = done(smolit, 1)
    model = choice_of(smolit, task)["model"]
    numbers = count(100)
    before = smolit("card", "scores", "--subtask", "echo", "--json").json
    known = sum(one["rewarded"] for one in before)

    assert smolit("feedback", "give", task, "--value", "0.75").code == 0
    scores = until(
        lambda: smolit("card", "scores", "--subtask", "echo", "--json"),
        lambda said: sum(one["rewarded"] for one in said.json) > known,
    ).json
    later = until(
        lambda: smolit("policy", "explain", done(smolit, next(numbers)), "--json"),
        lambda said: said.json[0]["models"][0]["learned"] == known + 1,
    ).json[0]["models"][0]

    (mine,) = (one for one in scores if one["model"] == model)
    assert (mine["domain"], mine["rewarded"], mine["mean_reward"]) == ("law", 1, 0.75)
    assert {one["model"]: one.get("judged", 0) for one in later["candidates"]}[model] == 1


def test_a_retired_model_gets_nothing_and_a_new_version_starts_anew(smolit: Smolit, tmp_path: Path) -> None:
    """Who is retired is left out by name; another version is another candidate, without a score."""
    assert smolit("card", "register", str(written(tmp_path, "yi", version="2"))).code == 0
    assert smolit("card", "retire", "phi", "--reason", "too small").code == 0
    numbers = count(200)
    shown = until(
        lambda: smolit("card", "show", "phi", "--json"), lambda said: said.code == 0 and said.json["model"]["state"] == "retired"
    )
    until(lambda: card(smolit, "yi"), lambda said: said.code == 0 and said.json["model"]["changes"] == 2)

    choice = until(
        lambda: smolit("policy", "explain", done(smolit, next(numbers)), "--json"),
        lambda said: bool(said.json[0]["models"]) and said.json[0]["models"][0]["left_out"] != [],
    ).json[0]["models"][0]

    assert smolit("card", "register", str(written(tmp_path, "yi")), str(written(tmp_path, "phi"))).code == 0  # as they were
    until(
        lambda: smolit("policy", "explain", done(smolit, next(numbers)), "--json"),
        lambda said: {one["model"] for one in said.json[0]["models"][0]["candidates"]} == {"yi/1", "phi/1"},
    )
    until(lambda: card(smolit, "phi"), lambda said: said.code == 0 and said.json["model"]["state"] == "active")
    assert shown.json["model"]["reason"] == "too small"
    assert (choice["model"], choice["probability"]) == ("yi/2", 1.0)
    assert choice["left_out"] == [{"model": "phi/1", "reason": "retired"}]
    assert choice["candidates"][0].get("judged", 0) == 0


def test_what_is_asked_wrongly_is_refused(smolit: Smolit, tmp_path: Path) -> None:
    """A model that nobody knows cannot retire, and a card with a fault is not sent."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\n")

    nobody, faulty = smolit("card", "retire", "nobody"), smolit("card", "register", str(bad))

    assert nobody.code == 1
    assert "no model 'nobody'" in nobody.err
    assert faulty.code == 2
    assert "bad.yaml:1: version is missing" in faulty.err


def test_the_read_models_are_what_the_log_says(smolit: Smolit) -> None:
    """Cards and choices are, byte for byte, what a naive fold of Kafka makes of them; so is what agents used of models."""
    said = smolit("projection", "verify", "--all", "--json", "-")
    assert said.code == 0, said
    found = said.json
    names = {one["name"]: one["equal"] for one in found["models"]}

    assert found["equal"]
    assert {"model_cards", "model_choices", "agent_use"} <= {name for name, equal in names.items() if equal}
