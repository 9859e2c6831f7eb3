"""Tools of outside servers: a real server process of the SDK plugs in, and is trusted with nothing."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest

from agents.consent import AwaitsApproval, Question
from agents.errors import AgentFailed
from agents.pipeline import Effect, Toolbox, Work
from agents.pipelines.tools import ToolSettings, work_with
from agents.tool_server import ToolServer
from agents.tools.call import Caller, Grant
from agents.tools.catalog import opened
from agents.tools.foreign import closed
from events.agent import AgentSpec
from smolit.errors import SettingInvalid
from smolit.tool_servers import tool_servers
from tests.builders import moment
from tests.obedient import Obedient

SERVER = Path(__file__).resolve().parents[1] / "tool_server.py"
TOOLS = ("partner/add", "partner/environment", "partner/fail", "partner/greet", "partner/note", "partner/wipe")


class Ledger:
    """Notes what went through it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        self.asked.append(effect.target)
        return await call("key")


def toolbox(tmp_path: Path, **server: Any) -> Toolbox:
    """Return a house that knows the server."""
    folder = tmp_path / "notes"
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, 65_533, 65_533)  # whoever contained may write there, and root is nobody to give it to
    walls = {} if "url" in server else {"folders": (str(SERVER),), "writes": (str(folder),)}
    command = (sys.executable, str(SERVER), str(folder / "effects"))
    named = ToolServer(**{"command": command, "read_only": ("add", "greet", "fail"), **walls, **server})
    return Toolbox(Path(), frozenset(), httpx.AsyncClient(), lambda _path: None, servers={"partner": named})  # type: ignore[arg-type, return-value]


def work(*tools: str) -> Work:
    """Return a task of an agent with these tools."""
    spec = AgentSpec("a", "d", ("s",), "tools", tools=tools)
    return Work("default", "t", 1, "a", None, "Greet Ann.", {}, moment(9), spec=spec)


async def test_a_servers_tools_are_listed_granted_checked_and_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names say whose they are; arguments are checked against their schema; no variable of ours goes along."""
    monkeypatch.setenv("AGENT_KEY_X", "CANARY-key")
    ledger = Ledger()
    async with opened(toolbox(tmp_path, env=("WANTED",), values={"WANTED": "CANARY-given"}), None) as tools:
        allowed = {"partner/note": {"text": ("hello*",)}}
        door = Caller(tools, Grant(frozenset(TOOLS) - {"partner/wipe"}, allowed, 20), work(), ledger, perf_counter)
        added = await door.call("partner/add", {"a": 2, "b": 3})
        wrong = await door.call("partner/add", {"a": "x", "b": 3})
        extra = await door.call("partner/add", {"a": 1, "b": 3, "c": 1})
        wiped = await door.call("partner/wipe", {})
        failed = await door.call("partner/fail", {})
        told = await door.call("partner/environment", {})
        elsewhere = await door.call("partner/note", {"text": "rm -rf"})
        noted = await door.call("partner/note", {"text": "hello there"})

    assert {name for name in tools if "/" in name} == set(TOOLS)
    assert all(tools[name].foreign for name in TOOLS)
    assert added.data == {"result": 5}
    assert (wrong.refused, extra.refused, wiped.refused) == ("bad_arguments", "bad_arguments", "tool_not_granted")
    assert (failed.refused, elsewhere.refused) == ("tool_failed", "target_not_allowed")
    assert "CANARY-" not in str(told.data)
    assert '\\"WANTED\\": \\"[hidden]\\"' in str(told.data) or '"WANTED": "[hidden]"' in str(told.data)
    assert noted.data == {"result": "noted"}
    assert (tmp_path / "notes" / "effects").read_text() == "hello there\n"
    assert ledger.asked == ["partner/environment", "partner/note"]


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def serving(port: int, effects: Path) -> Iterator[None]:
    """Run the server at a port."""
    command = [sys.executable, str(SERVER), str(effects), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def listening(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def test_a_server_at_an_address_plugs_in_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tools over HTTP, past any proxy of the environment; once the server is gone it is said to be."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    port = free_port()
    named = ToolServer(url=f"http://127.0.0.1:{port}/mcp", read_only=("add",), timeout_s=20)
    house = Toolbox(Path(), frozenset(), httpx.AsyncClient(), lambda _path: None, servers={"partner": named})  # type: ignore[arg-type, return-value]
    with serving(port, tmp_path / "effects"):
        await listening(port)
        async with opened(house, ("partner/add",)) as tools:
            door = Caller(tools, Grant(frozenset(tools)), work(), Ledger(), perf_counter)
            added = await door.call("partner/add", {"a": 2, "b": 3})
    with pytest.raises(AgentFailed, match="tool_server_unavailable"):
        async with opened(house, ("partner/add",)):
            pass

    assert added.data == {"result": 5}


async def test_a_description_that_gives_orders_is_only_read(tmp_path: Path) -> None:
    """An obedient model wants to do as a description and an error say; the tool was not granted, so nothing is wiped."""
    model = Obedient((("partner/fail", {}), ("partner/greet", {"name": "Ann"})))
    async with opened(toolbox(tmp_path), ("partner/greet", "partner/fail")) as tools:
        granted = work("partner/greet", "partner/fail")
        result = await work_with(tools, ToolSettings(planner="model"), model, granted, Ledger(), perf_counter)

    assert set(tools) == {"partner/greet", "partner/fail"}
    assert model.obeyed == 1
    assert [step.error for step in result.steps if step.name.startswith("tool:")] == ["tool_failed", None, "tool_not_granted"]
    assert not (tmp_path / "notes" / "effects").exists()


async def test_a_server_is_started_only_for_tools_of_its_own(tmp_path: Path) -> None:
    """Whoever needs none of a server's tools does not wait for it."""
    broken = ToolServer(command=("/does/not/exist",))
    house = Toolbox(Path(), frozenset(), httpx.AsyncClient(), lambda _path: None, servers={"broken": broken})  # type: ignore[arg-type, return-value]

    async with opened(house, ("calculator",)) as tools:
        assert set(tools) == {"calculator"}
    with pytest.raises(AgentFailed, match="tool_server_unavailable"):
        async with opened(house, ("broken/x",)):
            pass


async def test_a_command_that_is_no_server_is_said_to_be(tmp_path: Path) -> None:
    """A program that speaks something else does not hang the worker."""
    silent = ToolServer(command=(sys.executable, "-c", "print('hello')"))
    house = Toolbox(Path(), frozenset(), httpx.AsyncClient(), lambda _path: None, servers={"silent": silent})  # type: ignore[arg-type, return-value]

    with pytest.raises(AgentFailed, match="tool_server_unavailable"):
        async with opened(house, ("silent/x",)):
            pass


async def test_what_fails_while_a_server_is_there_keeps_its_name(tmp_path: Path) -> None:
    """The SDK would make a group of it: an attempt that waits for a person would seem broken."""
    error = AwaitsApproval(Question("id", "partner/note", "outside", "grant", {}, "sha", 1.0))

    with pytest.raises(AwaitsApproval):
        async with opened(toolbox(tmp_path), ("partner/add",)):
            raise error


@pytest.mark.parametrize(
    "schema", [None, [], "x", {}, {"type": "string"}, {"properties": 5}, {"properties": {"a": {"$ref": "http://x"}}}]
)
def test_any_schema_of_a_stranger_is_closed(schema: Any) -> None:
    """Whatever a server says, arguments are an object with the names that it lists."""
    made = closed(schema)

    assert (made["type"], made["additionalProperties"]) == ("object", False)
    assert isinstance(made["properties"], dict)


def test_the_operators_file_names_servers(tmp_path: Path) -> None:
    """A command or an address under a plain name; anything else is refused with the variable's name."""
    path = tmp_path / "servers.yaml"
    path.write_text("files: {command: [mcp-files, /srv], read_only: [read]}\nweb: {url: 'https://tools.example/mcp'}\n")
    assert tool_servers(path, {})["files"] == ToolServer(command=("mcp-files", "/srv"), read_only=("read",))
    assert tool_servers(None, {}) == {}
    path.write_text("t: {command: [mcp-tickets], env: [TOKEN]}")
    assert tool_servers(path, {"TOKEN": "x", "OTHER": "y"})["t"].values == {"TOKEN": "x"}
    with pytest.raises(SettingInvalid, match="TOKEN, which is not set"):
        tool_servers(path, {})

    for bad in (
        "x: {}",
        "x: {command: [a], url: b}",
        "'a/b': {url: c}",
        "x: {comand: [a]}",
        "- x",
        "x: {command: a}",
        "x: {command: [a], values: {T: s}}",
    ):
        path.write_text(bad)
        with pytest.raises(SettingInvalid, match="SMOLIT_TOOL_SERVERS"):
            tool_servers(path, {})
