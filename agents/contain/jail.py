"""The contained process: it reads what it is to run, locks itself in layer by layer, says which hold, and runs it.

Started by `run.py` as `python -I -S -c START`, with an empty environment. Where a layer that is needed does not hold, the code
is not run. Imports only the standard library, and nothing that starts a thread.
"""

import base64
import json
import os
import platform
import resource
import signal
import sys
import traceback
from typing import Any

from agents.contain import kernel, landlock, seccomp
from agents.contain.exits import BROKEN, UNCONTAINED

_SHOWN = ("/lib", "/lib64", "/usr/lib64")
_STACK = 1 << 20
_FILES = 64


def main(report: int) -> None:
    """Lock this process in and run what standard input holds; `report` is the descriptor that layers and result go to."""
    told = json.loads(sys.stdin.buffer.read())
    kernel.die_with_parent()
    signal.alarm(told["wall_s"] + 5)  # whoever waits for us kills us earlier; this is for when nobody does
    os.environ.clear()  # it was started with none; the interpreter may have put its locale there
    layers: dict[str, Any] = {"limits": _limit(told)}
    folders = shown()
    refused: dict[str, str] = {}
    _try("namespaces", lambda: _apart(told, folders), told, layers, refused)
    kernel.drop_privileges()
    layers["no_new_privileges"] = True
    if layers["namespaces"]:
        _hand_on()
        _hand_on()
    kernel.die_with_parent()
    _quiet_input()
    _try("landlock", lambda: landlock.lock([*folders, *(["/in"] if layers["namespaces"] else [])]), told, layers, refused)
    _try("seccomp", seccomp.lock, told, layers, refused)
    os.write(report, (json.dumps({"layers": layers, "refused": refused}) + "\n").encode())
    if not enough(layers) or (told["files"] and not layers["namespaces"]):
        os._exit(UNCONTAINED)
    _run(told["code"], report)


def enough(layers: dict[str, Any]) -> bool:
    """Say whether code may run: system calls must be filtered, and files be out of reach, by one way or the other."""
    always = all(layers.get(name) for name in ("limits", "no_new_privileges", "seccomp"))
    return always and bool(layers.get("namespaces") or layers.get("landlock"))


def shown() -> list[str]:
    """Return the folders that code may read: the standard library, and the shared libraries that it is linked with."""
    library = os.path.dirname(os.path.realpath(os.__file__))
    wide = f"/usr/lib/{platform.machine()}-linux-gnu"
    system = wide if os.path.isdir(wide) else "/usr/lib"
    return [library, system, *(path for path in _SHOWN if os.path.isdir(path))]


def _try(name: str, lock: Any, told: dict[str, Any], layers: dict[str, Any], refused: dict[str, str]) -> None:
    """Put on a layer, or say why it does not hold."""
    try:
        if name in told["without"]:
            raise OSError("left off")
        layers[name] = lock() or True
    except (OSError, KeyError, ValueError) as error:
        layers[name] = False
        refused[name] = str(error)


def _limit(told: dict[str, Any]) -> bool:
    """Limit time, memory, files and dumps for this process and all that it starts."""
    memory = told["memory_mb"] << 20
    limits = {
        resource.RLIMIT_CPU: told["cpu_s"],
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: 1 << 26,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: _STACK * 8,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    return True


def _apart(told: dict[str, Any], folders: list[str]) -> bool:
    """Move into namespaces of our own, with a root that holds only what code may read."""
    kernel.enter_spaces()
    given = {name: base64.b64decode(content) for name, content in told["files"].items()}
    kernel.make_root(folders, given, size_mb=told["files_mb"])
    return True


def _hand_on() -> None:
    """Go on in a child; this process only waits, and ends as the child does."""
    child = os.fork()
    if child == 0:
        return
    for descriptor in range(_FILES):
        try:
            os.close(descriptor)
        except OSError:
            continue
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _quiet_input() -> None:
    """Give the code nothing to read: the end of a pipe that nobody writes to."""
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    os.close(writing)


def _run(code: str, report: int) -> None:
    """Run the code as a main module; its variable `result`, where JSON can hold it, goes to the report."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.path[:] = [os.path.dirname(os.path.realpath(os.__file__)), *(one for one in sys.path if "lib-dynload" in one)]
    sys.argv[:] = ["main.py"]
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        exec(compile(code, "main.py", "exec"), space)  # noqa: S102 this is the place that everything above is about
        ended = 0
    except SystemExit as leave:
        ended = leave.code if isinstance(leave.code, int) else 0 if leave.code is None else 1
    except BaseException as error:  # noqa: BLE001 whatever it is, it is told to whoever wrote the code
        _tell(error)
        ended = BROKEN
    _report(space.get("result"), report)
    _flush()
    os._exit(ended & 0xFF)


def _tell(error: BaseException) -> None:
    """Write a traceback that begins in the code itself."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    traceback.print_exception(type(error), error, frames)


def _report(result: Any, report: int) -> None:
    """Write the result, if there is one."""
    try:
        if result is not None:
            os.write(report, json.dumps({"result": result}).encode())
    except (TypeError, ValueError, OSError, RecursionError):
        return


def _flush() -> None:
    """Write what is still held back."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
