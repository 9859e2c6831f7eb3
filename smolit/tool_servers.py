"""The operator's file of tool servers: `name: {command: [...]}` or `name: {url: ...}`."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agents.tool_server import ToolServer
from smolit.errors import SettingInvalid

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def tool_servers(path: Path | None, environ: Mapping[str, str]) -> dict[str, ToolServer]:
    """Return the servers by name, with the variables that they are given; a tool of theirs is called `server/tool`.

    Raises:
        SettingInvalid: the file says something else.
    """
    if path is None:
        return {}
    try:
        found = msgspec.yaml.decode(path.read_bytes(), type=dict[str, ToolServer])
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid(f"SMOLIT_TOOL_SERVERS: {path.name} cannot be used: {error}") from error
    for name, server in found.items():
        if not _NAME.fullmatch(name) or bool(server.command) == bool(server.url):
            raise SettingInvalid(f"SMOLIT_TOOL_SERVERS: {name!r} needs a plain name, and a command or a url, not both")
        if server.values:
            raise SettingInvalid(f"SMOLIT_TOOL_SERVERS: {name!r} names variables in `env`; their values do not stand in the file")
    known = pins(path)
    return {name: _given(name, _pinned(server, known.get(name, {})), environ) for name, server in found.items()}


def pins(path: Path) -> dict[str, dict[str, str]]:
    """Return the digests of tools as somebody looked at them, by server and tool; they lie in a file beside the servers'.

    Raises:
        SettingInvalid: that file holds something else.
    """
    try:
        return msgspec.json.decode(_beside(path).read_bytes(), type=dict[str, dict[str, str]])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid(f"SMOLIT_TOOL_SERVERS: {_beside(path).name} cannot be used: {error}") from error


def pin(path: Path, server: str, digests: Mapping[str, str]) -> None:
    """Take the tools of a server as they are, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(pins(path) | {server: dict(sorted(digests.items()))}, order="sorted"))
    fresh = _beside(path).with_suffix(".new")
    fresh.write_bytes(content + b"\n")
    fresh.replace(_beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.pins.json")


def _pinned(server: ToolServer, known: Mapping[str, str]) -> ToolServer:
    return msgspec.structs.replace(server, pins={**known, **server.pins})


def _given(name: str, server: ToolServer, environ: Mapping[str, str]) -> ToolServer:
    """Return a server with the values of its variables."""
    missing = sorted(set(server.env) - set(environ))
    if missing:
        raise SettingInvalid(f"SMOLIT_TOOL_SERVERS: {name!r} wants {missing[0]}, which is not set")
    return msgspec.structs.replace(server, values={one: environ[one] for one in server.env})
