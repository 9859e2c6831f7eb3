"""Language models on a real stack: a remote endpoint that fails, the local model that answers, and what is said of both."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from agents.llm.weights import MODEL
from smolit.process.census import census
from smolit.settings import Settings
from smolit.stack import local
from tests.endpoint import KEY, TEXT, Endpoint, Mood, standing
from tests.endpoint import MODEL as REMOTE_MODEL
from tests.processes import all_running
from tests.said import PATIENCE_S, Smolit, caught_up, command_line, until

_START_S = 12.0  # of the command itself, which loads the client, on busy cores


class Served:
    """An endpoint in a thread of its own, whose mood may be changed from here."""

    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None
        self._up, self._down = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Endpoint:
        """Serve."""
        self._thread.start()
        assert self._up.wait(PATIENCE_S)
        assert self.endpoint is not None
        return self.endpoint

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(PATIENCE_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with standing() as self.endpoint:
            self._up.set()
            await self._down.wait()


@pytest.fixture(scope="module")
def remote() -> Iterator[Endpoint]:
    """A remote endpoint."""
    with Served() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory, remote: Endpoint) -> Iterator[Settings]:
    """All processes; one remote endpoint, which fails until a test changes its mood, and the local model behind it."""
    remote.mood = "broken"
    given = {"llm_url": f"there={remote.url}", "llm_model": REMOTE_MODEL, "llm_key": KEY}
    with all_running(stack, tmp_path_factory.mktemp("llm"), **given) as running:
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
    for task in ids:
        until(
            lambda task=task: smolit("task", "show", task, "--json"),  # type: ignore[misc]
            lambda told: told.code == 0 and any(one["outcome"] for one in told.json["attempts"]),
        )
    caught_up(smolit)
    listed = smolit("agent", "show", "assistant", "--json").json["models"]
    known = [one["task_id"] for one in smolit("task", "list", "--json").json]
    shown = [smolit("task", "show", task, "--json").json for task in known]
    steps = [
        step for task in shown for attempt in task["attempts"] for step in attempt["steps"] or () if step["tokens_in"] is not None
    ]

    assert ids <= set(known)
    assert [(one["model"], one["calls"]) for one in listed] == [(MODEL, len(steps))]
    assert listed[0]["tokens_in"] == sum(step["tokens_in"] for step in steps)
    assert listed[0]["tokens_out"] == sum(step["tokens_out"] for step in steps)
    assert listed[0]["cost_microusd"] == 0


def test_the_local_model_is_started_again_after_kill_9(smolit: Smolit, settings: Settings) -> None:
    """Asked in the moment of its death, it answers; its process is another one."""
    assert smolit("llm", "ask", "Say yes.", "--max-tokens", "4", "--model", "local").code == 0
    before = next(one.pid for one in census(settings.data_dir) if one.name == "llm")
    assert before is not None
    os.kill(before, signal.SIGKILL)

    said = smolit("llm", "ask", "Say no.", "--max-tokens", "4", "--model", "local", "--json")

    assert said.code == 0, said
    assert said.json["model"] == MODEL
    assert next(one.pid for one in census(settings.data_dir) if one.name == "llm") not in (before, None)


def test_the_command_line_says_who_answers(smolit: Smolit) -> None:
    """Status names back ends; a stream comes as text; JSON fits its schema."""
    status = smolit("llm", "status", "--json")
    streamed = smolit("llm", "ask", "Say something.", "--stream", "--max-tokens", "8", "--model", "local")
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}'
    fitted = smolit("llm", "ask", "A number.", "--schema", schema, "--max-tokens", "32", "--model", "local", "--json")

    assert [(one["backend"], one["model"]) for one in status.json["backends"]] == [("there", REMOTE_MODEL), ("local", MODEL)]
    assert streamed.out.strip()
    assert "(local, fallback)" in streamed.err
    assert isinstance(fitted.json["data"]["n"], int)


@pytest.mark.parametrize("mood", ["hang", "garbage", "huge", "limited"])
def test_an_outage_in_the_middle_is_answered_in_time(smolit: Smolit, remote: Endpoint, mood: Mood) -> None:
    """Through the command line's own chain: the local model answers before the deadline, and says that it is the fallback."""
    remote.mood = mood
    try:
        began = time.monotonic()
        said = smolit("llm", "ask", f"Say {mood}.", "--max-tokens", "6", "--timeout", "16", "--json")
        took_s = time.monotonic() - began
    finally:
        remote.mood = "broken"

    assert said.code == 0, said
    assert (said.json["backend"], said.json["fallback"], said.json["model"]) == ("local", True, MODEL)
    assert took_s < 16 + 1 + _START_S


def test_a_remote_that_is_well_is_named_and_cached(smolit: Smolit, remote: Endpoint) -> None:
    """Asked twice, it is called once; the second answer costs nothing, and that is counted."""
    remote.mood, before = "well", len(remote.calls)
    try:
        first, second = [smolit("llm", "ask", "What of the cat?", "--json").json for _ in range(2)]
    finally:
        remote.mood = "broken"
    tally = smolit("llm", "cache", "--json").json

    assert (first["text"], first["model"], first["backend"], first["fallback"]) == (TEXT, REMOTE_MODEL, "there", False)
    assert (second["text"], second["cached"], second["tokens_out"]) == (TEXT, True, 0)
    assert len(remote.calls) == before + 1
    assert tally["hits"] >= 1
    assert tally["saved_tokens"] >= 14


def test_the_key_is_in_no_file(settings: Settings) -> None:
    """Neither log nor note nor record holds it, after calls that failed and calls that did not."""
    found = [path for path in settings.data_dir.parent.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]

    assert found == []
