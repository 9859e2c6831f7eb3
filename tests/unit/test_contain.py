"""Contained code: what it can do, what it cannot, and that nothing runs where it would not be contained."""

import json
import os
import pwd
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from agents.contain import landlock, seccomp
from agents.contain.jail import enough
from agents.contain.run import Limits, Ran, run
from agents.errors import AgentFailed
from smolit.doctor import contained
from tests.escapes import CANARY, QUIET, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="code is contained on Linux only, and refused elsewhere")
PROJECT = Path(__file__).resolve().parents[2]
_RUNNER = """
import asyncio, json, sys
import msgspec
from agents.contain.run import run
told = json.loads(sys.stdin.read())
try:
    ran = asyncio.run(run(told["code"], without=told["without"]))
    print(json.dumps(msgspec.to_builtins(ran)))
except Exception as error:
    print(json.dumps({"refused": str(error)}))
"""
# Who runs it, and which layers are left off; what is left must hold by itself.
MODES = {
    "all layers": ("me", ()),
    "without Landlock": ("me", ("landlock",)),
    "ordinary user": ("nobody", ()),
    "ordinary user without namespaces": ("nobody", ("namespaces",)),
    "ordinary user without Landlock": ("nobody", ("landlock",)),
}
# Where only Landlock hides files, names and sizes can still be seen; the contents cannot.
_SEEN_WITHOUT_NAMESPACES = {"read: exists", "read: stat", "read: statx"}


class Planted:
    """What attempts are after, outside: secrets, servers that count, this process."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.secret = folder / "secret.txt"
        self.secret.write_text(CANARY)
        (folder / "planted_module.py").write_text(f"X = {CANARY!r}\n")
        with zipfile.ZipFile(folder / "z.zip", "w") as archive:
            archive.writestr("inside.txt", CANARY)
        base = sqlite3.connect(folder / "s.db")
        base.execute("create table s as select 'secret' as t")
        base.commit()
        base.close()
        self.descriptor = os.open(self.secret, os.O_RDONLY)
        os.set_inheritable(self.descriptor, True)
        self.reached = 0
        self.servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        self.servers[1].bind(str(folder / "u.sock"))
        (folder / "u.sock").chmod(0o777)
        self.servers[2].bind(f"\0{folder.name}-{os.getpid()}")
        for server in self.servers:
            server.listen()
            threading.Thread(target=self._count, args=(server,), daemon=True).start()
        self.told: dict[str, Any] = {
            "secret": str(self.secret),
            "zip": str(folder / "z.zip"),
            "database": str(folder / "s.db"),
            "project": str(PROJECT),
            "descriptor": self.descriptor,
            "port": self.servers[0].getsockname()[1],
            "unix": str(folder / "u.sock"),
            "abstract": f"{folder.name}-{os.getpid()}",
            "parent": os.getpid(),
        }

    def _count(self, server: socket.socket) -> None:
        """Count who comes."""
        while True:
            try:
                came, _ = server.accept()
            except OSError:
                return
            self.reached += 1
            came.close()

    def close(self) -> None:
        """Take it all away."""
        os.close(self.descriptor)
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Yield what is planted outside."""
    for folder in (tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp().parent):
        folder.chmod(0o755)  # an ordinary user finds the secret only where containment fails
    found = Planted(tmp_path_factory.mktemp("planted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_KEY", CANARY)
        yield found
    found.close()


def as_nobody(code: str, without: tuple[str, ...]) -> dict[str, Any]:
    """Run code contained, started by an ordinary user; skips where none can be had."""
    if os.geteuid() != 0:
        command, user = [sys.executable], None
    else:
        command, user = [_interpreter()], pwd.getpwnam("nobody").pw_uid
    done = subprocess.run(
        [*command, "-c", _RUNNER],
        input=json.dumps({"code": code, "without": without}).encode(),
        capture_output=True,
        check=False,
        env={"PYTHONPATH": _paths(), "PLANTED_KEY": CANARY},
        cwd="/",
        timeout=60,
        **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _interpreter() -> str:
    """Return an interpreter of this version that an ordinary user may start; skips where there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        if os.path.exists(path) and _may_start(path):
            return path
    pytest.skip(f"no Python {version} that an ordinary user may start is on this machine")


def _paths() -> str:
    """Return where our code and its packages lie."""
    return os.pathsep.join([str(PROJECT), *(one for one in sys.path if one.endswith("site-packages"))])


def _may_start(path: str) -> bool:
    """Say whether nobody may start it, and read our code with it."""
    nobody = pwd.getpwnam("nobody").pw_uid
    command, given = [path, "-c", "import agents.contain.run"], {"PYTHONPATH": _paths()}
    try:
        done = subprocess.run(
            command, user=nobody, group=nobody, extra_groups=[], check=False, env=given, cwd="/", capture_output=True
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def tried(planted: Planted) -> dict[str, dict[str, Any]]:
    """Return, for each mode that was asked for, what each attempt got; filled as tests ask."""
    return {}


async def got(mode: str, planted: Planted, tried: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what the attempts got in a mode; all are made in one contained process."""
    if mode not in tried:
        who, without = MODES[mode]
        code = program(planted.told, QUIET)
        ran = await _mine(code, without) if who == "me" else as_nobody(code, without)
        if without and "refused" in ran:
            pytest.skip(f"without {without[0]}, code is refused on this machine: {ran['refused']}")
        assert ran.get("outcome") == "ok", ran
        assert "ESCAPED" not in ran["stdout"]
        tried[mode] = {**ran["result"], "hidden": bool(ran["layers"]["namespaces"])}
    return tried[mode]


async def _mine(code: str, without: tuple[str, ...]) -> dict[str, Any]:
    try:
        ran = await run(code, without=without)
    except AgentFailed as error:
        return {"refused": error.detail}
    return {name: getattr(ran, name) for name in Ran.__struct_fields__}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("attempt", QUIET)
async def test_nothing_gets_out(mode: str, attempt: str, planted: Planted, tried: dict[str, dict[str, Any]]) -> None:
    """No attempt to read, write, connect, start, trace or signal gets anything, whichever layer holds alone."""
    found = await got(mode, planted, tried)
    if not found["hidden"] and attempt in _SEEN_WITHOUT_NAMESPACES:
        pytest.skip("names and sizes are hidden by namespaces alone; docs/tools.md says so")

    assert found[attempt] is None


def test_the_attempts_are_real(planted: Planted) -> None:
    """Where nothing contains them, the attempts that do no harm do get something: so the tests above can fail."""
    real = {name: attempt for name, attempt in QUIET.items() if attempt.real}
    code = program(planted.told, real) + "import json\nopen(P['out'], 'w').write(json.dumps(result))\n"
    out = planted.secret.parent / "out.json"
    before = planted.reached
    code = code.replace("P = {", f"P = {{'out': {str(out)!r}, ", 1)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, check=False, pass_fds=(planted.descriptor,), timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
    found = json.loads(out.read_text())
    nothing = sorted(name for name, what in found.items() if what is None)

    assert len(real) >= 60
    assert len(nothing) <= len(real) // 10, nothing
    assert planted.reached > before


def test_no_attempt_changed_anything(planted: Planted) -> None:
    """What lay outside is as it was."""
    assert planted.secret.read_text() == CANARY
    assert not Path(f"/tmp/{CANARY}").exists()
    assert len(QUIET) >= 120


def left_over(since: float) -> list[psutil.Process]:
    """Return contained processes that began after a moment and live on: ours and orphans, not those of tests beside this one."""
    found = []
    beside = {one.pid for one in psutil.Process(os.getppid()).children()} - {os.getpid()}
    for process in psutil.process_iter():
        try:
            mine = str(PROJECT) in process.cmdline() and "agents.contain.jail" in " ".join(process.cmdline())
            theirs = beside & {one.pid for one in process.parents()}
            if mine and not theirs and process.create_time() >= since and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


SMALL = Limits(cpu_s=1, wall_s=60, memory_mb=128, output_bytes=10_000)  # wall time is long: the machine may be busy
BOMBS: dict[str, tuple[str, set[str]]] = {
    "processor": ("while True: pass", {"killed", "timed_out"}),
    "processor in C": ("x = 7 ** (10 ** 9)", {"killed", "timed_out", "failed"}),
    "regular expression": ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", {"killed", "timed_out"}),
    "sleep": ("import time; time.sleep(60)", {"timed_out"}),
    "memory": ("x = bytearray(1 << 30)", {"failed", "killed"}),
    "memory bit by bit": ("x = []\nwhile True: x.append(bytearray(1 << 20))", {"failed", "killed"}),
    "mapped memory": ("import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 1 << 24))", {"failed", "killed"}),
    "pipes": ("import os\nwhile True: os.pipe()", {"failed"}),
    "threads": (
        "import threading, time\nfor _ in range(10_000): threading.Thread(target=time.sleep, args=(2,)).start()",
        {"failed", "timed_out", "killed"},
    ),
    "processes": ("import os\nwhile True: os.fork()", {"failed"}),
    "output": ("while True: print('x' * 1000)", {"too_much_output", "killed"}),
    "errors": ("import sys\nwhile True: sys.stderr.write('x' * 1000)", {"too_much_output", "killed"}),
    "result": ("result = 'x' * 10_000_000", {"too_much_output", "killed", "ok", "timed_out"}),
    "recursion": ("f = lambda: f()\nf()", {"failed", "killed"}),
    "stack": ("import sys\nsys.setrecursionlimit(10**9)\nf = lambda: f()\nf()", {"failed", "killed"}),
    "crash": ("import ctypes; ctypes.string_at(0)", {"killed"}),
    "ignores its end": ("import signal\nfor s in range(1, 32):\n try: signal.signal(s, signal.SIG_IGN)\n except OSError: pass\n"
                        "while True: pass", {"killed", "timed_out"}),
    "closes everything": ("import os\nos.closerange(0, 64)\nwhile True: pass", {"killed", "timed_out"}),
    "exit hook": ("import atexit\nimport time\natexit.register(time.sleep, 60)", {"ok"}),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
async def test_whoever_uses_too_much_is_ended(bomb: str) -> None:
    """Time, memory, processes, descriptors and output are bounded, and the end is told as what it was."""
    code, outcomes = BOMBS[bomb]

    began = time.time()
    ran = await run(code, limits=msgspec.structs.replace(SMALL, wall_s=2) if bomb == "sleep" else SMALL)

    assert ran.outcome in outcomes
    assert len(ran.stdout) <= SMALL.output_bytes
    assert left_over(began) == []


async def test_code_computes_and_answers() -> None:
    """What it prints and its variable `result` come back, with the layers that held it."""
    ran = await run("import math, json, decimal, re, statistics\nprint('hello')\nresult = [math.sqrt(16), {'a': None}]")

    assert (ran.outcome, ran.exit, ran.stdout, ran.result) == ("ok", 0, "hello\n", [4.0, {"a": None}])
    assert ran.layers["seccomp"] is True
    assert ran.layers["namespaces"] or ran.layers["landlock"]


async def test_given_files_can_be_read_and_not_written() -> None:
    """Files lie under /in, and nothing else does."""
    ran = await run("import os\nprint(open('/in/a.csv').read(), os.listdir('/in'))\nopen('/in/a.csv', 'a')", {"a.csv": b"x,y"})

    assert ran.stdout == "x,y ['a.csv']\n"
    assert "Read-only" in ran.stderr or "denied" in ran.stderr or "not permitted" in ran.stderr


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 200, "a\0b"])
async def test_a_file_name_that_is_a_path_is_refused(name: str) -> None:
    """Names of files come from strangers, too."""
    with pytest.raises(AgentFailed, match="bad_files"):
        await run("", {name: b""})


async def test_a_failure_is_told_with_its_line() -> None:
    """Whoever wrote the code reads where it broke."""
    ran = await run("x = 1\nraise ValueError('no')")

    assert ran.outcome == "failed"
    assert 'File "main.py", line 2' in ran.stderr
    assert "ValueError: no" in ran.stderr
    assert "jail" not in ran.stderr


@pytest.mark.parametrize("without", [("seccomp",), ("namespaces", "landlock"), ("namespaces", "landlock", "seccomp")])
async def test_nothing_runs_uncontained(without: tuple[str, ...], tmp_path: Path) -> None:
    """Where the layers that are needed do not hold, code is refused, never run."""
    with pytest.raises(AgentFailed, match="uncontained"):
        await run(f"open({str(tmp_path / 'ran')!r}, 'w')", without=without)

    assert not (tmp_path / "ran").exists()


def test_two_ways_to_hide_files_and_one_to_filter_calls() -> None:
    """Which layers are enough is a rule of its own."""
    both = {"limits": True, "no_new_privileges": True, "seccomp": True, "namespaces": True, "landlock": 7}

    assert enough(both)
    assert enough(both | {"landlock": False})
    assert enough(both | {"namespaces": False})
    assert not enough(both | {"namespaces": False, "landlock": False})
    assert not enough(both | {"seccomp": False})
    assert not enough(both | {"limits": False})


def test_the_filter_fits_the_kernel_and_knows_both_architectures() -> None:
    """Jumps of the packet filter reach 255 instructions, and a program has 4096 at most."""
    for machine in ("x86_64", "aarch64"):
        made = seccomp.program(machine, 42)
        assert len(made) < 4096
        assert all(0 <= yes <= 255 and 0 <= no <= 255 for _, yes, no, _ in made)
        assert made[-1] == (0x06, 0, 0, 0x00050001)
    with pytest.raises(KeyError):
        seccomp.program("riscv64", 42)


def test_the_doctor_says_which_layers_hold() -> None:
    """Whoever operates this machine sees it before a task needs it."""
    found = contained.code()

    assert found.well
    assert "seccomp" in found.seen


def test_this_kernel_has_landlock_or_says_zero() -> None:
    """The version is a small number."""
    assert 0 <= landlock.version() < 100
