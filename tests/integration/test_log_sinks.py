"""A missing, full, slow or closed log sink neither stops nor slows nor changes a process: each tried on a real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.said import PATIENCE_S

LINES = 12_000  # the queue takes 10,000, a pipe some hundreds
# Does something, logs more than any queue or pipe holds, and says on standard output what it did.
PROGRAM = f"""
import sys
from smolit.process import log
from smolit.process.log import Who
from smolit.process.shell import keep_standard_streams, supervised
from smolit.settings import load_settings

def body(lines):
    total = 0
    for number in range({LINES}):
        total += number
        log.bind(task_id=str(number)).info("handled", filler="x" * 200)
    print(total)

keep_standard_streams()
sys.exit(supervised(load_settings(), Who("demo", "1"), frozenset(), body))
"""
SUM = LINES * (LINES - 1) // 2


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMOLIT_")}
    return {**kept, "SMOLIT_LOG_FORMAT": "json", **settings}


@pytest.mark.parametrize("sink", ["missing", "full", "unread", "folder"])
def test_a_bad_log_file_changes_nothing(sink: str, tmp_path: Path) -> None:
    """A file that cannot be made, a full disk, a FIFO without a reader, a folder: same result, exit code 0, no delay."""
    os.mkfifo(tmp_path / "unread")
    paths = {
        "missing": tmp_path / "no" / "such" / "folder.log",
        "full": Path("/dev/full"),
        "unread": tmp_path / "unread",
        "folder": tmp_path,
    }

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(SMOLIT_LOG_FILE=str(paths[sink])),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{SUM}\n", "")


def test_a_standard_error_that_nobody_reads_changes_nothing() -> None:
    """A pipe that is full, and stays so, holds nobody up."""
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=writing,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)

    assert (done.returncode, done.stdout) == (0, f"{SUM}\n")


def test_a_closed_standard_error_is_not_mistaken_for_a_file(tmp_path: Path) -> None:
    """With standard error closed, the next file opened would get its number; log lines must not end up in it."""
    program = PROGRAM.replace(
        "    print(total)", f"    file = open({str(tmp_path / 'data')!r}, 'w'); print(total, file.fileno() > 2)"
    )

    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", program],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, f"{SUM} True\n")
    assert (tmp_path / "data").read_bytes() == b""


def test_a_good_log_file_gets_every_line(tmp_path: Path) -> None:
    """Where the sink keeps up, what the queue took is written before the process ends."""
    path = tmp_path / "log"

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace(str(LINES), "5000")],
        env=environment(SMOLIT_LOG_FILE=str(path)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0
    assert len(path.read_text().splitlines()) == 5000 + 1  # and the last one says that it stopped


def test_importing_logs_and_configures_nothing() -> None:
    """Importing every module that logs writes nothing, starts no thread and leaves logging as it was."""
    program = (
        "import logging, threading, structlog, sys; before = list(logging.root.handlers)\n"
        "import smolit.process.log, smolit.process.sink, smolit.process.shell, smolit.process.runner, smolit.process.told\n"
        "sys.exit(structlog.is_configured() or threading.active_count() != 1 or logging.root.handlers != before)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
