"""A program of somebody else, contained: it is started by this process, which locks itself in first and then becomes it.

Started as `python -I -S -c START PLAN`, it makes three of itself: one outside that counts what is said and passes it on, one
that is the first process of the namespace and takes in orphans, and one that becomes the program. What the program sees of
files is what the plan shows; what it may call is in `guest_calls.py`. Imports only the standard library.
"""

import json
import os
import platform
import resource
import sys
from typing import Any, NoReturn

from agents.contain import guest_calls, kernel, landlock
from agents.contain.exits import TALKS_TOO_MUCH, UNCONTAINED

_PATH = "/usr/local/bin:/usr/bin:/bin"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_CHUNK = 65_536


def main() -> None:
    """Lock this process in as the plan says, and become the program."""
    plan = json.loads(sys.argv[1])
    environ = {"PATH": _PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 the program's own, in its own root
    environ |= {name: os.environ[name] for name in plan["env"] if name in os.environ}
    os.environ.clear()
    kernel.die_with_parent()
    said, says = os.pipe()
    try:
        kernel.enter_spaces(plan["network"])
        kernel.make_guest_root(plan["shown"], plan["writes"], _DEVICES, plan["files_mb"])
    except (OSError, KeyError) as error:
        _refuse(error)
    if child := os.fork():
        os.close(says)
        _pass_on(said, child, plan)
    os.close(said)
    if child := os.fork():
        os.close(says)
        _wait_for(child)
    os.dup2(says, 1)
    os.close(says)
    try:
        _lock(plan)
        os.execve(plan["command"][0], plan["command"], environ)  # noqa: S606 this is what all of it is for
    except (OSError, KeyError, ValueError) as error:
        _refuse(error)


def _lock(plan: dict[str, Any]) -> None:
    """Give up privileges, time, room and calls for good; raises OSError where one of them cannot be taken."""
    kernel.drop_privileges(plan["user"])
    kernel.die_with_parent()
    os.chdir("/tmp")  # noqa: S108 its own
    file = plan["files_mb"] << 20
    limits = {
        resource.RLIMIT_CPU: plan["cpu_s"],
        resource.RLIMIT_DATA: plan["memory_mb"] << 20,  # not the address space: some programs reserve much and use little
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_NPROC: plan["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    if landlock.version() >= landlock.LEAST:  # a second wall behind the root of its own
        landlock.lock(plan["shown"], [*plan["writes"], "/tmp"], _DEVICES, plan["network"])  # noqa: S108 its own
    guest_calls.lock(platform.machine(), plan["network"])


def _pass_on(said: int, child: int, plan: dict[str, Any]) -> NoReturn:
    """Pass on what the program says, up to so much in all and in a line; end as it ends."""
    left, line = plan["output_mb"] << 20, 0
    most_line = plan["line_mb"] << 20
    while chunk := os.read(said, _CHUNK):
        head, _, tail = chunk.rpartition(b"\n")
        line = len(tail) if head or chunk.startswith(b"\n") else line + len(chunk)
        left -= len(chunk)
        if left < 0 or line > most_line:
            os._exit(TALKS_TOO_MUCH)  # its death takes the namespace with it
        _write(chunk)
    _, status = os.waitpid(child, 0)
    os._exit(_code(status))


def _write(chunk: bytes) -> None:
    """Write all of it, or end: nobody listens any more."""
    try:
        while chunk:
            chunk = chunk[os.write(1, chunk) :]
    except OSError:
        os._exit(0)


def _wait_for(child: int) -> NoReturn:
    """Take in orphans until the program has ended; with this process the namespace ends, and all that is left in it."""
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(_code(status))


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _refuse(error: Exception) -> NoReturn:
    """Say that the program was not started, and why."""
    os.write(2, f"uncontained: {error}\n".encode())
    os._exit(UNCONTAINED)
