"""kill -9 in the middle of split tasks: whoever dies, no finished step is done again, and the result is that of a quiet run."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, ClassVar

import pytest

from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running, kill
from tests.said import Said, Smolit, redirected, until
from tests.service import served


class Provider(BaseHTTPRequestHandler):
    """Does a thing once for each key, however often it is asked, and takes its time over it."""

    effects: ClassVar[dict[str, str]] = {}  # by key: the text that was worked on
    calls: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[Lock] = Lock()

    def do_POST(self) -> None:
        """Answer with the text and one word more."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["idempotency-key"]
        with self.lock:
            self.calls[key] += 1
            self.effects.setdefault(key, body["text"])
        time.sleep(0.15)
        content = json.dumps({"text": body["text"] + " more", "cost_microusd": 10}).encode()
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return  # whoever asked is dead

    def log_message(self, *_: object) -> None:
        """Say nothing."""


PLAN = {
    "name": "ladder",
    "steps": [
        {"id": "a", "kind": "grow", "text": "${task.text}"},
        {"id": "b", "kind": "grow", "text": "${task.text} too"},
        {"id": "c", "kind": "grow", "text": "${a.output.text}"},
        {"id": "d", "kind": "grow", "text": "${b.output.text} and ${c.output.text}"},
        {"id": "e", "kind": "grow", "text": "${d.output.text}", "needed": True},
    ],
}
TASKS = 3
_STORM, _SEED, _MOST_KILLS = 40, 7, 8  # plans at once, and how processes die meanwhile


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and one agent that calls the provider."""
    folder = tmp_path_factory.mktemp("kill")
    with served(Provider) as url, all_running(stack, folder, webhook_hosts="127.0.0.1", lease_s=2.0) as running:
        spec = folder / "grower.yaml"
        spec.write_text(
            f"id: grower\ndescription: Grows.\nskills: [grow]\npipeline: webhook\nsettings: {{url: '{url}', idempotent: true}}\n"
        )
        assert app.run(["agent", "register", str(spec)]) == 0
        yield running


@pytest.fixture(scope="module")
def smolit(settings: Settings) -> Smolit:
    """The command line, as a function."""
    return redirected()


@pytest.fixture(scope="module")
def quiet(smolit: Smolit) -> list[Any]:
    """What comes of the tasks when nobody dies."""
    return outcomes(smolit, submitted(smolit))


def submitted(smolit: Smolit) -> list[str]:
    """Submit the tasks, and return their ids."""
    given = json.dumps({"plan": PLAN})
    return [
        smolit("task", "submit", f"word {number}", "--kind", "team", "--input", given, "--deadline", "15m").out.strip()
        for number in range(TASKS)
    ]


def outcomes(smolit: Smolit, tasks: list[str]) -> list[Any]:
    """Wait until the tasks are over, and return what came of each: of every step, its outcome and output."""
    found = []
    for task in tasks:
        told = until(lambda task=task: smolit("task", "show", task, "--json"), lambda said: said.code == 0 and over(said.json))  # type: ignore[misc]
        output = next(one["output"] for one in told.json["attempts"] if one["outcome"] == "completed")
        steps = [(one["step"], one["outcome"], one["output"], one["parts"][0]["agent"]) for one in output["steps"]]
        found.append((output["outcome"], output["cost_microusd"], steps))
    return found


def over(told: Any) -> bool:
    """Say whether a task, with the end of its attempt, is known to be over."""
    return told["task"]["state"] == "completed" and any(one["outcome"] == "completed" for one in told["attempts"])


def wait_for_effects(count: int) -> None:
    """Wait until the provider has done so many things."""
    until(lambda: Said(0, str(len(Provider.effects)), ""), lambda said: int(said.out) >= count)


@pytest.mark.parametrize("victim", ["dispatch", "worker", "intake", "relay"])
def test_whoever_dies_in_the_middle_no_finished_step_is_done_again(
    settings: Settings, smolit: Smolit, quiet: list[Any], victim: str
) -> None:
    """The supervisor (in dispatch), a worker, intake or the relay: as many effects as steps, and the result of a quiet run."""
    before = len(Provider.effects)
    tasks = submitted(smolit)
    wait_for_effects(before + 4)  # some steps are done, some are under way, some have not begun
    kill(settings, victim)

    assert outcomes(smolit, tasks) == quiet
    assert len(Provider.effects) - before == TASKS * len(PLAN["steps"])
    done = Counter(list(Provider.effects.values())[before:])
    assert set(done.values()) == {1}


def killing(settings: Settings, over: Event, killed: Counter[str]) -> None:
    """Kill one process after another, each a drawn time after the one before, until all is over."""
    rng = random.Random(_SEED)
    while killed.total() < _MOST_KILLS and not over.wait(rng.uniform(1.0, 4.0)):
        victim = rng.choice(("dispatch", "worker", "intake"))
        try:
            kill(settings, victim)
        except ProcessLookupError:
            continue  # it ended in this moment
        killed[victim] += 1


def test_forty_plans_at_once_come_through_kills_at_drawn_moments(settings: Settings, smolit: Smolit, tmp_path: Path) -> None:
    """As many effects as steps, each once, and every result as it has to be."""
    deadline = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
    lines = [{"text": f"item {at}", "kind": "team", "input": {"plan": PLAN}, "deadline": deadline} for at in range(_STORM)]
    (tmp_path / "batch.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    before, over, killed = len(Provider.effects), Event(), Counter[str]()
    thread = Thread(target=killing, args=(settings, over, killed))

    tasks = smolit("task", "submit", "--batch", str(tmp_path / "batch.jsonl")).out.split()
    thread.start()
    try:
        wait_for_effects(before + _STORM * len(PLAN["steps"]))  # the plans end together, after all of them
        found = outcomes(smolit, tasks)
    finally:
        over.set()
        thread.join()

    assert killed.total() >= 2, killed
    assert [one[0] for one in found] == ["completed"] * _STORM
    assert [one[2][-1][2]["text"] for one in found] == [
        f"item {at} too more and item {at} more more more more" for at in range(_STORM)
    ]
    done = Counter(list(Provider.effects.values())[before:])
    assert done.total() == _STORM * len(PLAN["steps"])
    assert set(done.values()) == {1}


REPLAYS = (
    ("plan", "verify"),
    ("policy", "verify"),
    ("projection", "verify", "--all"),
    ("projection", "rebuild", "--all"),
    ("projection", "verify", "--all"),
)


def test_all_that_happened_is_replayed_with_the_network_cut(
    settings: Settings, smolit: Smolit, quiet: list[Any], tmp_path: Path
) -> None:
    """Plans, choices and read models come out of the log again, to the byte, and nobody is called for it."""
    until(lambda: smolit("plan", "verify"), lambda said: said.code == 0)
    shown = smolit("plan", "list", "--json").out
    calls, note = Provider.calls.total(), tmp_path / "refused"

    ended = {words: replayed(settings, note, *words) for words in REPLAYS}

    assert quiet
    assert {words: done.returncode for words, done in ended.items()} == dict.fromkeys(REPLAYS, 0), ended
    assert not note.exists()
    assert Provider.calls.total() == calls
    assert smolit("plan", "list", "--json").out == shown


def test_the_cut_is_one(settings: Settings, tmp_path: Path) -> None:
    """Whoever does call out meanwhile fails, and it is noted: the local broker at a port that is not on the list."""
    note = tmp_path / "refused"

    done = replayed(settings, note, "events", "tail", ports="1")

    assert done.returncode != 0
    assert "connect" in note.read_text()


def replayed(settings: Settings, note: Path, *words: str, ports: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command with the network cut, but for the local servers."""
    there = ports or settings.kafka.rpartition(":")[2]
    argv = [sys.executable, "-P", "-m", "tests.cut", str(note), there, *words]
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, timeout=400, check=False)
