"""Server processes that outlive the command which starts them, found again by a mark in their command line."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_POLL_S = 0.02
# The shell goes away at once, so the server belongs to init: no zombie, no parent that must wait for it.
_LAUNCH = '"$@" </dev/null >&2 & echo $!'
# Nothing else of our environment reaches a server: it may hold secrets, and servers log what they see.
_ENVIRON = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class OsUser:
    """An operating system user to run a server as."""

    uid: int
    gid: int


def as_user(user: OsUser | None) -> dict[str, Any]:
    """Return the subprocess arguments that drop privileges; none when the server runs as ourselves."""
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}


def run(argv: Sequence[str], cwd: Path, user: OsUser | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end with a clean environment; its output comes back together."""
    return subprocess.run(
        argv,
        cwd=cwd,
        env=_ENVIRON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **as_user(user),
    )


def spawn(argv: Sequence[str], cwd: Path, log: Path, user: OsUser | None = None) -> int:
    """Start a server in its own session, so that Ctrl-C does not reach it; return its process id."""
    with log.open("ab") as out:
        done = subprocess.run(
            ["/bin/sh", "-c", _LAUNCH, "smolit", *argv],
            cwd=cwd,
            env=_ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
            umask=0o077,
            check=True,
            **as_user(user),
        )
    return int(done.stdout)


def find(mark: str, pid: int) -> psutil.Process | None:
    """Return the running server whose command line carries the mark: the recorded process, else the oldest such one.

    A recorded id alone proves nothing: after a crash or a reboot it may belong to somebody else.
    """
    recorded = _process(pid)
    if recorded and _carries(recorded, mark):
        return recorded
    found = [process for process in psutil.process_iter() if _carries(process, mark)]
    return min(found, key=lambda process: process.create_time(), default=None)


def is_alive(process: psutil.Process) -> bool:
    """Return whether the process still runs; a zombie does not, once its last thread has given back ports and files."""
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def stop(process: psutil.Process, how: signal.Signals, patience_s: float) -> bool:
    """Ask a server to end and wait until it has; return False if it had to be killed after the given patience."""
    send(process, how)
    if wait_until(lambda: not is_alive(process), patience_s):
        return True
    kill(process)
    return False


def kill(process: psutil.Process) -> None:
    """End a process at once (SIGKILL) and wait until it is gone."""
    send(process, signal.SIGKILL)
    wait_until(lambda: not is_alive(process), patience_s=10.0)


def send(process: psutil.Process, how: signal.Signals) -> None:
    """Send a signal; a process that has ended meanwhile needs none."""
    try:
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return


def wait_until(done: Callable[[], bool], patience_s: float) -> bool:
    """Return whether the condition became true within the given seconds."""
    end = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def titled(title: str) -> list[psutil.Process]:
    """Return the processes that gave themselves a title beginning so (Postgres' children do)."""
    return [process for process in psutil.process_iter() if (_command(process) or [""])[0].startswith(title)]


def memory_bytes(process: psutil.Process) -> int:
    """Return the resident memory of a process and the private part of its children's; shared pages count once."""
    try:
        own: int = process.memory_info().rss
        children = [child.memory_info() for child in process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return own + sum(max(0, child.rss - getattr(child, "shared", 0)) for child in children)


def _process(pid: int) -> psutil.Process | None:
    """Return the process of an id, if there is one."""
    try:
        return psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None


def _carries(process: psutil.Process, mark: str) -> bool:
    """Return whether a live process has the mark among its arguments."""
    return mark in _command(process) and is_alive(process)


def _command(process: psutil.Process) -> list[str]:
    """Return the command line of a process; empty when it is gone or not ours to see."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
