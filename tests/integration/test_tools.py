"""Tools on a real stack: several steps with tools, contained code, a declared API with a key, and what is kept of them."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, TextIO

import pytest

from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from store.postgres import connect
from tests.processes import all_running, kill
from tests.said import Smolit, command_line, until
from tests.service import served

KEY = "CANARY-key-2718281828"


class Shop(BaseHTTPRequestHandler):
    """Takes orders under a key, each once, and repeats the key that it was sent."""

    orders: ClassVar[dict[str, Any]] = {}
    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Take an order."""
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.keys.append(self.headers["authorization"])
        self.orders.setdefault(self.headers["idempotency-key"], order)
        body = json.dumps({"order": len(self.orders), "seen": self.headers["authorization"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and an agent over the shop's API."""
    folder = tmp_path_factory.mktemp("tools")
    with served(Shop) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_KEY_SHOP", KEY)
        with all_running(stack, folder, webhook_hosts="127.0.0.1") as running:
            spec = folder / "shop.yaml"
            spec.write_text(SHOP.replace("{base}", url.rstrip("/")))
            careful = folder / "careful.yaml"
            asking = SHOP.replace("id: shop", "id: careful").replace("skills: [order]", "skills: [order-asked]")
            careful.write_text(asking.replace("settings:\n", "settings:\n  ask: true\n").replace("{base}", url.rstrip("/")))
            assert app.run(["agent", "register", str(spec), str(careful)]) == 0
            yield running
        assert KEY not in (folder / "runner.log").read_text(), "the key is in a log"


SHOP = """
id: shop
description: Orders things.
skills: [order]
pipeline: http
settings:
  base: "{base}"
  key: {env: AGENT_KEY_SHOP}
  operations:
    order:
      path: /orders
      method: POST
      idempotent: true
      parameters:
        type: object
        properties: {item: {type: string}}
        required: [item]
        additionalProperties: false
"""


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def ended(smolit: Smolit, task: str) -> Any:
    """Return the end of a task's attempt, once it is known."""
    said = until(lambda: smolit("task", "watch", task, "--json"), lambda said: said.code == 0)
    lines = [json.loads(line) for line in said.out.splitlines()]
    return next(one["payload"] for one in lines if one["type"] == "attempt.ended")


def test_a_task_of_several_steps_is_done_with_tools(smolit: Smolit) -> None:
    """The clock says today, code counts the days; each call is a step of the attempt's event, with its digests."""
    said = smolit("task", "submit", "How many days until 2030-01-01?", "--kind", "tools", "--wait", "--json")

    assert said.code == 0, said
    assert said.json["output"]["answer"].isdigit()
    steps = ended(smolit, said.json["task_id"])["steps"]
    assert [step["name"] for step in steps] == ["tool:now", "tool:run_python"]
    assert all(len(step["arguments_sha256"]) == len(step["result_sha256"]) == 64 for step in steps)
    told = smolit("events", "trace", said.json["task_id"]).out
    assert "called now, run_python" in told


def test_code_runs_contained_and_says_which_layers_held(smolit: Smolit) -> None:
    """A program answers; one that reaches for the machine fails, and the attempt says why."""
    good = smolit("task", "submit", "Run it.", "--kind", "code", "--input", '{"code": "print(6 * 7)"}', "--wait", "--json")
    bad = smolit(
        "task", "submit", "Run it.", "--kind", "code", "--max-attempts", "1", "--wait", "--json",
        "--input", '{"code": "print(open(\\"/proc/self/environ\\").read())"}',
    )  # fmt: skip

    assert (good.code, good.json["output"]["answer"]) == (0, "42")
    assert good.json["output"]["layers"]["seccomp"]
    assert bad.code == 1
    assert "FileNotFoundError" in json.dumps(bad.json) or "PermissionError" in json.dumps(bad.json)


def test_an_effect_over_an_api_happens_once_and_its_key_is_nowhere(smolit: Smolit, settings: Settings) -> None:
    """The shop had one order under our key; what it repeated of the key is hidden in the answer and in every event."""
    said = smolit(
        "task", "submit", "Order it.", "--kind", "order", "--input", '{"arguments": {"item": "lamp"}}', "--wait", "--json"
    )
    ended(smolit, said.json["task_id"])

    assert (said.code, [one for one in Shop.orders.values() if one["item"] == "lamp"]) == (0, [{"item": "lamp"}])
    assert set(Shop.keys) == {f"Bearer {KEY}"}
    assert said.json["output"]["reply"]["seen"] == "Bearer [hidden]"
    assert asyncio.run(events_with(settings, "lamp")) > 0
    assert asyncio.run(events_with(settings, KEY)) == 0


def waiting(smolit: Smolit, task: str) -> Any:
    """Return the one question of a task, once it is asked."""
    return until(partial(smolit, "approval", "list", "--task", task, "--json"), lambda said: len(said.json) == 1).json[0]


def order(smolit: Smolit, item: str) -> str:
    """Order something of the agent that asks first; return the task."""
    said = smolit(
        "task", "submit", "Order it.", "--kind", "order-asked", "--max-attempts", "2",
        "--input", json.dumps({"arguments": {"item": item}}),
    )  # fmt: skip
    return str(said.out.split()[0])


def test_a_person_is_asked_before_an_effect_and_it_happens_once(smolit: Smolit, settings: Settings) -> None:
    """Nothing is ordered while it waits, though its worker is killed; after the grant it is ordered once, and the log says so."""
    task = order(smolit, "piano")
    asked = waiting(smolit, task)
    shown = until(partial(smolit, "task", "show", task), lambda said: said.code == 0 and "waits for a person" in said.out)
    before = [one for one in Shop.orders.values() if one["item"] == "piano"]
    kill(settings, "worker")
    granted = smolit("approval", "grant", asked["approval_id"][:8], "--by", "ann", "--reason", "we need one", "--json")
    done = until(partial(smolit, "task", "show", task, "--json"), lambda said: bool(said.json["task"]["ended_at"])).json
    again = smolit("approval", "deny", asked["approval_id"])

    assert (asked["tool"].endswith("/orders"), asked["why"], asked["arguments"]["arguments"]) == (
        True,
        "grant",
        {"item": "piano"},
    )
    assert asked["approval_id"][:8] in shown.out
    assert before == []
    assert (granted.json["state"], granted.json["answered_by"], granted.json["reason"]) == ("granted", "ann", "we need one")
    assert [one for one in Shop.orders.values() if one["item"] == "piano"] == [{"item": "piano"}]
    assert (done["task"]["outcome"], len(done["attempts"])) == ("completed", 1)
    assert (again.code, "settled" in again.err) == (1, True)
    until(partial(smolit, "events", "trace", task), lambda said: "granted by ann: we need one" in said.out)


def test_what_a_person_denies_is_not_done(smolit: Smolit) -> None:
    """The task ends and says why, and no other agent asks again."""
    task = order(smolit, "organ")
    asked = waiting(smolit, task)
    denied = smolit("approval", "deny", asked["approval_id"], "--reason", "too loud")
    done = until(partial(smolit, "task", "show", task, "--json"), lambda said: bool(said.json["task"]["ended_at"])).json

    assert denied.code == 0
    assert (done["task"]["outcome"], done["task"]["reason"], len(done["attempts"])) == ("failed", "not_approved", 1)
    assert "organ" not in {one["item"] for one in Shop.orders.values()}


async def events_with(settings: Settings, text: str) -> int:
    """Return how many events hold a text."""
    connection = await connect(settings.postgres.get_secret_value(), "tests")
    try:
        cursor = await connection.execute("select count(*) from events where payload::text like %s", (f"%{text}%",))
        row = await cursor.fetchone()
    finally:
        await connection.close()
    assert row is not None
    return int(row[0])


async def asked_over_mcp(quiet: TextIO) -> tuple[list[str], Any, Any]:
    """Start `smolit mcp serve` as a process, list its tools by a client of the SDK, and call two."""
    from mcp import Client, StdioServerParameters, stdio_client

    command = StdioServerParameters(command=sys.executable, args=["-P", "-m", "smolit", "mcp", "serve"], env=dict(os.environ))
    async with Client(stdio_client(command, errlog=quiet), read_timeout_seconds=100) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        good = await client.call_tool("arithmetic", {"text": "What is 6 * 7?"})
        bad = await client.call_tool("arithmetic", {"text": "Tell me of the cat."})
        return tools, good, bad


def test_agents_are_tools_for_other_programs(smolit: Smolit, tmp_path: Path) -> None:
    """A client process lists the agents and calls one: that is a task like any other, with its events."""
    until(lambda: smolit("agent", "list", "--json"), lambda said: "shop" in {one["agent"]["agent_id"] for one in said.json})
    with (tmp_path / "said").open("w") as quiet:
        tools, good, bad = asyncio.run(asked_over_mcp(quiet))

    assert {"arithmetic", "coder", "tool-worker", "shop"} <= set(tools)
    assert not good.is_error, good.content[0].text
    assert good.structured_content["output"]["value"] == "42"
    assert bad.is_error
    task = good.structured_content["task_id"]
    assert ended(smolit, task)["outcome"] == "completed"
