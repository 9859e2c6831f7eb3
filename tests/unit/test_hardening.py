"""What an attacker tried and what stops it: names that lead inside, paths that lead out, terminals that obey, readers."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.document import contained
from agents.document.kind import HTML
from agents.errors import AgentFailed
from agents.pipeline import beneath
from agents.web.transport import PinnedTransport
from smolit.cli import out

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202etxt.exe"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
INSIDE = ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "100.64.0.1", "0.0.0.0"]


def answered(request: httpx.Request) -> httpx.Response:
    """Answer with what was asked."""
    return httpx.Response(200, json={"to": request.url.host, "host": request.headers["host"]})


def client(*addresses: str, hosts: tuple[str, ...] = ("hooks.test",)) -> httpx.AsyncClient:
    """Return a client whose resolver says these addresses, one list after another."""
    said = iter(addresses)

    async def resolve(_host: str, _port: int) -> tuple[str, ...]:
        return tuple(next(said).split())

    return httpx.AsyncClient(transport=PinnedTransport(hosts, resolve, httpx.MockTransport(answered)))


@pytest.mark.parametrize("inside", INSIDE)
async def test_a_listed_name_that_leads_inside_is_not_called(inside: str) -> None:
    """Also as one of several addresses, and when it led outside a moment ago: nobody is connected to."""
    async with client("93.184.216.34", inside, f"93.184.216.34 {inside}") as web:
        good = await web.post("https://hooks.test/do")
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await web.post("https://hooks.test/do")

    assert good.json() == {"to": "93.184.216.34", "host": "hooks.test"}


async def test_an_address_that_is_listed_itself_is_called() -> None:
    """The operator said so."""
    async with client("127.0.0.1", hosts=("hooks.test", "127.0.0.1")) as web:
        assert (await web.post("http://hooks.test/do")).json()["to"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "link/passwd", "~/../../../etc/passwd"])
def test_a_spec_names_no_file_outside_of_the_project(tmp_path: Path, path: str) -> None:
    """By a full path, upwards, or by a link."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("/etc")
    inside = beneath(root, "data/replies.jsonl")

    assert inside == root / "data" / "replies.jsonl"
    if path.startswith("~"):
        assert beneath(root, "~x").is_relative_to(root)
    with pytest.raises(AgentFailed, match="outside"):
        beneath(root, path)


def test_no_command_prints_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles, clearing, colours and turned text of a stranger come out as escapes: as a line, word, table, fact and JSON."""
    out.line(EVIL)
    out.say(f"Error: {EVIL}\nsecond line")
    out.table(("a",), [(EVIL,)])
    out.facts({"a": EVIL, "b": {"c": EVIL}})
    out.json({"a": EVIL})
    out.json_line({"a": EVIL})
    told = capsys.readouterr()

    assert OBEYED.findall(told.out + told.err) == []
    assert "second line" in told.err
    assert json.loads(told.out.strip().splitlines()[-1]) == {"a": EVIL}


async def test_the_reader_of_documents_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes over what reads a stranger's file finds no key in its environment."""
    given: dict[str, str] = {}
    spawn = asyncio.create_subprocess_exec

    async def seen(*argv: str, env: dict[str, str], **more: Any) -> Any:
        given.update(env)
        return await spawn(*argv, env=env, **more)

    monkeypatch.setenv("AGENT_KEY_SHOP", "CANARY")
    monkeypatch.setenv("SMOLIT_CHOICE_SECRET", "CANARY")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", seen)

    assert "hello" in await contained.read(b"<p>hello</p>", HTML)
    assert "PATH" in given
    assert "CANARY" not in given.values()
