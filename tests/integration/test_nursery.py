"""The nursery, as a real process: what it forks, what it leaves behind when it dies, and what becomes of changed code."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from smolit.errors import NurseryLost
from smolit.process import background, roster
from smolit.process.brood import Brood, Order, Report
from smolit.process.nurse import Nurse
from smolit.process.nursery import require_alone
from smolit.process.start import FORKS
from smolit.settings import load_settings
from tests.runner_home import KIT, PROCESSES, Home, gone, until
from tests.said import PATIENCE_S

pytestmark = pytest.mark.skipif(not FORKS, reason="this platform does not fork")

HERE = "tests.integration.test_nursery"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(KIT.parents[1])}
_BUILDS = """
import asyncio, os, sys
from smolit.folder import claim
from smolit.process import compose
from smolit.process.child import BROOD
from smolit.process.place import Place
from smolit.process.told import told_ports
from smolit.settings import load_settings
from smolit.stack.local import Endpoints

async def build(name):
    nowhere = Endpoints("127.0.0.1:1", "postgresql://h/d", ours=False)
    compose.build(name, Place(load_settings(), nowhere, "1", told_ports()))

claim(load_settings().data_dir)
BROOD.load()
loaded = set(sys.modules)
for name in compose.PROCESSES:
    if os.fork() == 0:
        asyncio.run(build(name))
        print(name, *sorted(set(sys.modules) - loaded), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A place of its own for each test, whose processes write down how they find themselves."""
    made = Home(tmp_path)
    (tmp_path / "notes").mkdir()
    made.environment |= {"RUNNER_KIT_START": "fork", "RUNNER_KIT_NOTES": str(tmp_path / "notes")}
    return made


def pids(home: Home) -> dict[str, int]:
    """Return the processes that run, by identity."""
    return {name: one.pid for name, one in home.standings().items() if one.pid}


def nursery_of(pid: int) -> int:
    """Return the parent of a process."""
    return psutil.Process(pid).ppid()


def replaced(home: Home, before: dict[str, int]) -> bool:
    """Say whether every process is ready, and none is one of before."""
    now = home.standings().values()
    return sum(one.ready for one in now) == PROCESSES and not {one.pid for one in now} & set(before.values())


def test_a_forked_process_is_itself(home: Home, tmp_path: Path) -> None:
    """One nursery forks all; each has a group and a title of its own, one thread, and its own chance."""
    with home.started("runner"):
        home.all_ready()
        running = pids(home)
        titles = {name: Path(f"/proc/{pid}/comm").read_text().strip() for name, pid in running.items()}
        groups = {os.getpgid(pid) for pid in running.values()}

    notes = [file.read_text().split() for file in (tmp_path / "notes").iterdir()]
    assert len(notes) == PROCESSES
    assert {(native, python) for _, native, python, _ in notes} == {("1", "1")}
    assert len({parent for parent, *_ in notes}) == 1
    assert len({drawn for *_, drawn in notes}) == PROCESSES
    assert groups == set(running.values())
    assert titles == {name: name for name in running}


def test_a_killed_nursery_is_replaced_and_nobody_is_there_twice(home: Home) -> None:
    """kill -9 of the nursery: its processes end, also a stopped one, and all are started again by another one."""
    with home.started("runner") as runner:
        home.all_ready()
        before = pids(home)
        nursery = nursery_of(before["relay-1"])
        os.kill(before["worker-1"], signal.SIGSTOP)
        os.kill(nursery, signal.SIGKILL)
        until(lambda: replaced(home, before))
        after = pids(home)
        left = [pid for pid in before.values() if not gone(pid)]
        runner.send_signal(signal.SIGTERM)
        _, said = runner.communicate(timeout=PATIENCE_S)

    assert left == []
    assert f"the nursery {nursery} ended (-9)" in said
    assert "relay-1 went with its nursery" in said
    assert runner.returncode == 0
    assert all(gone(pid) for pid in after.values())


def test_nothing_outlives_the_runner(home: Home) -> None:
    """kill -9 of the runner: the nursery and every process end, also a stopped one."""
    with home.started("runner") as runner:
        home.all_ready()
        running = pids(home)
        everybody = [nursery_of(running["relay-1"]), *running.values()]
        os.kill(running["worker-1"], signal.SIGSTOP)
        runner.kill()
        until(lambda: all(gone(pid) for pid in everybody))

    assert len(everybody) == PROCESSES + 1


def test_a_runner_stops_though_its_nursery_stands_still(home: Home) -> None:
    """A nursery that reports nothing any more is ended, and its processes with it."""
    with home.started("runner", SMOLIT_STOP_TIMEOUT_S="1") as runner:
        home.all_ready()
        running = pids(home)
        os.kill(nursery_of(running["relay-1"]), signal.SIGSTOP)
        runner.send_signal(signal.SIGTERM)
        runner.communicate(timeout=PATIENCE_S)
        until(lambda: all(gone(pid) for pid in running.values()))

    assert runner.returncode == 0


def test_a_runner_that_is_not_told_to_begin_leaves_nothing(home: Home) -> None:
    """`smolit up` that fails, or is interrupted, while the servers start: the runner that was loading ends, and its nursery."""

    settings = load_settings(data_dir=home.data_dir)
    with suppress(InterruptedError), background.launching(settings):
        until(lambda: any("smolit.process.nursery" in words for words in _of(home.data_dir)))
        raise InterruptedError
    until(lambda: _of(home.data_dir) == [])

    assert not list((home.data_dir / "run").glob("*.json"))


def test_changed_code_is_loaded_anew_and_a_mistake_in_it_hurts_nobody_else(home: Home, tmp_path: Path) -> None:
    """A process started after an edit runs the new code; the others live on, and their nursery as long as they do."""
    (tmp_path / "edited.py").write_text("")
    home.environment |= {"RUNNER_KIT_LOAD": "edited", "PYTHONPATH": f"{home.environment['PYTHONPATH']}:{tmp_path}"}
    with home.started("runner") as runner:
        home.all_ready()
        before = pids(home)
        old = nursery_of(before["relay-1"])
        tried = tmp_path / "tried"
        (tmp_path / "edited.py").write_text(f"open({str(tried)!r}, 'w').close()\nraise RuntimeError('a mistake')")
        os.kill(before["worker-1"], signal.SIGKILL)
        until(tried.exists)
        others = {name: pid for name, pid in pids(home).items() if name != "worker-1"}
        (tmp_path / "edited.py").write_text("# now it is\n")
        until(lambda: (now := home.standings()["worker-1"]).ready and now.pid != before["worker-1"])
        fresh = nursery_of(pids(home)["worker-1"])
        for pid in others.values():
            os.kill(pid, signal.SIGKILL)
        until(lambda: replaced(home, before))
        parents = {nursery_of(pid) for pid in pids(home).values()}
        until(lambda: gone(old))
        runner.send_signal(signal.SIGTERM)
        _, said = runner.communicate(timeout=PATIENCE_S)

    assert others == {name: pid for name, pid in before.items() if name != "worker-1"}
    assert parents == {fresh}
    assert fresh != old
    assert "RuntimeError: a mistake" in said
    assert "worker-1 could not be started" in said
    assert runner.returncode == 0


async def test_the_nursery_of_all_processes_is_alone(tmp_path: Path) -> None:
    """Nothing that the processes import or load ahead starts a thread: a fork would copy one, and what the others held."""
    nurse = Nurse("smolit.process.child:BROOD")
    await nurse.start()
    try:
        threads = os.listdir(f"/proc/{nurse.pid}/task")
    finally:
        await nurse.stop()

    assert threads == [str(nurse.pid)]
    assert nurse.ended == 0


def test_a_thread_that_loading_started_is_found() -> None:
    """A nursery with a thread refuses to fork, and names it."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="somebody")
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="somebody"):
            require_alone()
    finally:
        done.set()
        thread.join()


def _of(data_dir: Path) -> list[list[str]]:
    """Return the command lines of all processes that were given a data folder."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.environ().get("SMOLIT_DATA_DIR") == str(data_dir):
                found.append(one.cmdline())
    return found


def _never(_arguments: Sequence[str]) -> int:
    raise AssertionError("nobody is started")


def _fail() -> None:
    raise RuntimeError("this cannot be loaded")


BROKEN = Brood(_never, _fail)
EXITING = Brood(lambda arguments: int(arguments[0]), lambda: None)


async def test_a_nursery_that_cannot_load_says_so(tmp_path: Path) -> None:
    """Whoever wanted it gets a named error; the traceback stands in the log."""
    nurse = Nurse(f"{HERE}:BROKEN", ENVIRONMENT, log=tmp_path / "log")

    with pytest.raises(NurseryLost, match="did not load"):
        await nurse.start()

    assert "RuntimeError: this cannot be loaded" in (tmp_path / "log").read_text()


async def test_an_exit_code_is_reported(tmp_path: Path) -> None:
    """Each ended process is reported with its own code; an order that comes too late is not left without a word."""
    nurse, heard = Nurse(f"{HERE}:EXITING", ENVIRONMENT), list[Report]()
    await nurse.start()
    for code in ("0", "3"):
        nurse.order(Order(code, (code,), log=str(tmp_path / "log")), heard.append)
    nurse.retire()
    async with asyncio.timeout(PATIENCE_S):
        while nurse.ended is None:  # noqa: ASYNC110 it is a process, which tells nobody else
            await asyncio.sleep(0.01)
    nurse.order(Order("late", ("0",)), heard.append)
    await nurse.stop()

    assert heard.pop() == Report("late", 0, "lost")
    assert sorted((one.slot, one.what, one.status) for one in heard) == [
        ("0", "ended", 0), ("0", "started", 0), ("3", "ended", 3), ("3", "started", 0)]  # fmt: skip


def test_a_forked_process_finds_everything_loaded(tmp_path: Path) -> None:
    """Building a process imports nothing: what it needed would be loaded once for each of them, and shared by none."""
    environ = {**os.environ, "SMOLIT_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", _BUILDS], env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [[name] for name in roster.PROCESSES]
