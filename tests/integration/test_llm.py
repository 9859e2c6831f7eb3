"""Language models on a real stack: an agent asks the local one, which survives its death; the command line names who answered."""

import os
import signal
from collections.abc import Iterator

import pytest

from agents.llm.weights import MODEL
from smolit.process.census import census
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Smolit, command_line, until

pytestmark = pytest.mark.timeout(300)  # the first test waits until all processes are ready


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes."""
    with all_running(stack, tmp_path_factory.mktemp("llm")) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    assert settings.local_llm == "on"
    return command_line(capsys)


def test_an_agent_answers_with_the_local_model(smolit: Smolit) -> None:
    """The output names model and fallback; the fact has tokens, cost and the hashes of prompt and answer."""
    said = smolit("task", "submit", "Name a colour.", "--kind", "assistant", "--wait", "--json")
    assert said.code == 0, said
    output = said.json["output"]
    task = until(
        lambda: smolit("task", "show", said.json["task_id"], "--json"),
        lambda told: told.code == 0 and bool(told.json["attempts"]) and told.json["attempts"][0]["outcome"] is not None,
    ).json
    step = task["attempts"][0]["steps"][0]

    assert (output["model"], output["backend"], output["fallback"]) == (MODEL, "local", True)
    assert output["text"].strip()
    assert (step["model"], step["cost_microusd"]) == (MODEL, 0)
    assert step["tokens_in"] > 0
    assert step["tokens_out"] > 0
    assert len(step["prompt_sha256"]) == len(step["answer_sha256"]) == 64


def test_use_is_shown_by_agent_and_adds_up_to_the_recorded_calls(smolit: Smolit) -> None:
    """What `agent show` says is the sum of the steps of all attempts."""
    tasks = [smolit("task", "submit", f"Say {word}.", "--kind", "assistant", "--wait", "--json").json for word in ("red", "blue")]
    ids = {task["task_id"] for task in tasks}
    listed = until(
        lambda: smolit("agent", "show", "assistant", "--json"),
        lambda told: bool(told.json["models"]) and told.json["models"][0]["calls"] >= len(ids),
    ).json["models"]
    known = [one["task_id"] for one in smolit("task", "list", "--json").json]
    shown = [smolit("task", "show", task, "--json").json for task in known]
    steps = [step for task in shown for attempt in task["attempts"] for step in attempt["steps"] if step["tokens_in"] is not None]

    assert ids <= set(known)
    assert [(one["model"], one["calls"]) for one in listed] == [(MODEL, len(steps))]
    assert listed[0]["tokens_in"] == sum(step["tokens_in"] for step in steps)
    assert listed[0]["tokens_out"] == sum(step["tokens_out"] for step in steps)
    assert listed[0]["cost_microusd"] == 0


def test_the_local_model_is_started_again_after_kill_9(smolit: Smolit, settings: Settings) -> None:
    """Asked in the moment of its death, it answers; its process is another one."""
    assert smolit("llm", "ask", "Say yes.", "--max-tokens", "4").code == 0
    before = next(one.pid for one in census(settings.data_dir) if one.name == "llm")
    assert before is not None
    os.kill(before, signal.SIGKILL)

    said = smolit("llm", "ask", "Say no.", "--max-tokens", "4", "--json")

    assert said.code == 0, said
    assert said.json["model"] == MODEL
    assert next(one.pid for one in census(settings.data_dir) if one.name == "llm") not in (before, None)


def test_the_command_line_says_who_answers(smolit: Smolit) -> None:
    """Status names back ends; a stream comes as text; JSON fits its schema."""
    status = smolit("llm", "status", "--json")
    streamed = smolit("llm", "ask", "Say something.", "--stream", "--max-tokens", "8")
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}'
    fitted = smolit("llm", "ask", "A number.", "--schema", schema, "--max-tokens", "32", "--json")

    assert status.json["serves"] == "local"
    assert [one["model"] for one in status.json["backends"]] == [MODEL]
    assert streamed.out.strip()
    assert "(local, fallback)" in streamed.err
    assert isinstance(fitted.json["data"]["n"], int)
