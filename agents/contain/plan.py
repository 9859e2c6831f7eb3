"""What a server of tools is shown and may use when it is contained: from the operator's words to the plan of `guest.py`."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.errors import AgentFailed
from agents.tool_server import ToolServer

_PROJECT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, sys.argv.pop()); from agents.contain.guest import main; main()"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_NAMES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ca-certificates", "/etc/pki")
_STRANGERS = 200_000  # users from here on are nobody's: one for each start, so that their processes are counted apart
_BARE = ("/", "/usr", "/usr/local", "/root", "/home", "/opt", "/srv", "/var", "/tmp")  # noqa: S108 too wide to be shown


def command_of(server: ToolServer) -> list[str]:
    """Return the command that starts a server contained.

    Raises:
        AgentFailed: this system cannot contain it, or the operator's words do not fit.
    """
    if not sys.platform.startswith("linux"):
        raise AgentFailed("uncontained", f"a server of tools can be contained on Linux only, not on {platform.system()}")
    start = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START]
    return [*start, json.dumps(plan_of(server, os.getpid())), str(_PROJECT)]


def plan_of(server: ToolServer, salt: int) -> dict[str, Any]:
    """Return the plan; raises AgentFailed where the command is not there, or a folder cannot be shown."""
    program, prefixes = _program(server.command[0])
    writes = [_folder(path) for path in server.writes]
    shown = _outermost([*(path for path in _SYSTEM if os.path.exists(path)), *prefixes, *map(_folder, server.folders)])
    shown += [path for path in (_NAMES if server.network else ()) if os.path.exists(path)]
    return {
        "command": [program, *server.command[1:]],
        "env": list(server.env),
        "shown": shown,
        "writes": writes,
        "network": server.network,
        "user": _user(writes, salt),
        "memory_mb": server.memory_mb,
        "cpu_s": server.cpu_s,
        "processes": server.processes,
        "files_mb": server.files_mb,
        "output_mb": server.output_mb,
        "line_mb": min(server.output_mb, 4),
    }


def _program(name: str) -> tuple[str, list[str]]:
    """Return a program as it is called within, and what has to be shown for it: its installation, or itself alone."""
    found = shutil.which(name)
    if found is None:
        raise AgentFailed("tool_server_unavailable", f"{name} is no program here")
    place = Path(os.path.realpath(os.path.dirname(found))) / os.path.basename(found)
    real = Path(os.path.realpath(found))
    prefixes = [path for one in (place, real) for path in _installation(one)]
    return str(place), prefixes


def _installation(program: Path) -> list[str]:
    """Return the folder that a program was installed into (`X` of `X/bin/program`), with what a virtual environment rests on."""
    prefix = program.parent.parent
    if program.parent.name != "bin" or str(prefix) in (*_BARE, str(Path.home())):
        return [] if str(prefix).startswith("/usr") else [str(program)]
    config = prefix / "pyvenv.cfg"
    if not config.is_file():
        return [str(prefix)]
    lines = dict(line.split("=", 1) for line in config.read_text(errors="replace").splitlines() if "=" in line)
    home = {key.strip(): value.strip() for key, value in lines.items()}.get("home", "")
    base = Path(os.path.realpath(home)).parent if home else None
    return [str(prefix), *([str(base)] if base and str(base) not in _BARE else [])]


def _folder(path: str) -> str:
    """Return a folder that the operator named, as it really is."""
    real = os.path.realpath(path)
    if not os.path.isabs(path) or not os.path.exists(real):
        raise AgentFailed("uncontained", f"{path} has to be a folder or file of this machine, with its full path")
    if real == "/":
        raise AgentFailed("uncontained", "a server cannot be shown the whole machine; use `contain: false` if it is your own")
    return real


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return paths that lie beneath no other one of them: a folder is shown once."""
    links = [path for path in dict.fromkeys(paths) if os.path.islink(path)]
    plain = [path for path in dict.fromkeys(paths) if not os.path.islink(path)]
    return links + [one for one in plain if not any(one != other and one.startswith(f"{other}/") for other in plain)]


def _user(writes: Sequence[str], salt: int) -> int:
    """Return who it runs as: whoever owns what it may write, else a user of its own.

    As root: root's processes cannot be counted, so what root owns is not given away.
    """
    if os.geteuid() != 0 or not writes:
        return _STRANGERS + salt % _STRANGERS
    owners = {os.stat(path).st_uid for path in writes}
    if len(owners) != 1 or 0 in owners:
        raise AgentFailed("uncontained", f"{', '.join(writes)}: what a server may write has to belong to one user, not to root")
    return owners.pop()
