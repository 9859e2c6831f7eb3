"""Split tasks on a real stack: parts side by side, results that flow, failures, limits, cancellation, kills."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any, ClassVar

import pytest

from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Smolit, command_line
from tests.service import served

pytestmark = pytest.mark.timeout(300)  # the first test waits until all processes are ready


class Desk(BaseHTTPRequestHandler):
    """Three services in one: each counts under which key it was asked for what."""

    seen: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[Lock] = Lock()

    def do_POST(self) -> None:
        """Answer by path: `/upper` shouts, `/count` counts words, `/yes` and `/no` say so, `/bad` refuses."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.lock:
            self.seen[f"{self.path} {body['text']}"] += 1
        text = body["text"]
        answers: dict[str, Callable[[], Any]] = {
            "/upper": lambda: {"text": text.upper(), "cost_microusd": 100},
            "/count": lambda: {"words": len(text.split()), "cost_microusd": 50},
            "/forty": lambda: {"answer": "It is 40 km."},
            "/fifty": lambda: {"answer": "It is 50 km."},
            "/fifty-cited": lambda: {"answer": "It is 50 km.", "citations": ["map, page 3"]},
        }
        said = answers.get(self.path)
        content = json.dumps(said() if said else {}).encode()
        self.send_response(200 if said else 400)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


AGENTS = {
    "shouter": ("shout", "upper"),
    "counter": ("count", "count"),
    "refuser": ("fail", "bad"),
    "forty": ("distance", "forty"),
    "fifty": ("distance", "fifty-cited"),
}


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and agents that are services."""
    folder = tmp_path_factory.mktemp("team")
    with served(Desk) as url, all_running(stack, folder, webhook_hosts="127.0.0.1", max_attempts=2) as running:
        for name, (kind, path) in AGENTS.items():
            (folder / f"{name}.yaml").write_text(
                f"id: {name}\ndescription: Does {kind}.\nskills: [{kind}]\npipeline: webhook\n"
                f"settings: {{url: '{url}{path}', idempotent: true}}\n"
            )
        assert app.run(["agent", "register", *(str(folder / f"{name}.yaml") for name in AGENTS)]) == 0
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def split(smolit: Smolit, plan: Any, text: str = "one two three", *more: str, **given: Any) -> Any:
    """Have a task split by a plan, and return the answer."""
    told = json.dumps({"plan": plan, **given})
    said = smolit("task", "submit", text, "--kind", "team", "--input", told, "--wait", "--json", *more)
    return said.json


DIAMOND = {
    "name": "diamond",
    "steps": [
        {"id": "loud", "kind": "shout", "text": "${task.text}"},
        {"id": "words", "kind": "count", "text": "${loud.output.text}"},
        {"id": "mood", "kind": "sentiment", "text": "I love it: ${loud.output.text}"},
        {"id": "sum", "kind": "arithmetic", "text": "What is ${words.output.words} * 14?", "after": ["mood"]},
    ],
}


def test_a_task_is_split_done_side_by_side_and_merged_with_who_did_what(smolit: Smolit) -> None:
    """Results flow into later steps; the report names each part's task, its agent, its chance, and what it cost."""
    answer = split(smolit, DIAMOND)

    assert answer["outcome"] == "completed", answer
    told = answer["output"]
    assert (answer["agent"], told["outcome"], told["missing"]) == ("supervisor", "completed", [])
    assert {one["step"]: one["output"] for one in told["steps"]}["sum"]["value"] == "42"
    parts = [part for step in told["steps"] for part in step["parts"]]
    assert [part["agent"] for part in parts] == ["shouter", "counter", "sentiment", "arithmetic"]
    assert all(part["propensity"] == 1.0 for part in parts)
    assert told["cost_microusd"] == 150
    assert all(part["task_id"] in told["report"] for part in parts)
    assert Desk.seen["/upper one two three"] == 1
