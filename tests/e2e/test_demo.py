"""The demo, as a person types it: small, with all its figures, and with nothing left running."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from smolit.process.runner import live_runner
from tests.stacks import guarded

SMOLIT = str(Path(sys.executable).with_name("smolit"))
LONG_S = 600
KEYS = {
    "submitted",
    "completed",
    "lost",
    "failed",
    "reward_stream",
    "reward_fifths",
    "random",
    "best_single",
    "tasks_per_s",
    "choice_ms_p50",
    "choice_ms_p99",
    "answer_ms_p50",
    "answer_ms_p99",
    "effect_ms_p50",
    "effect_ms_p95",
}


def ours(data_dir: Path) -> list[int]:
    """Return the processes that run for a data folder."""
    found = []
    for process in psutil.process_iter(["pid", "environ", "cmdline"]):
        told = f"{process.info['cmdline']} {(process.info['environ'] or {}).get('SMOLIT_DATA_DIR')}"
        if str(data_dir) in told and process.pid != os.getpid() and "guard.py" not in told:
            found.append(process.pid)
    return found


def environment(data_dir: Path) -> dict[str, str]:
    """Return the environment of a demo that shares nothing with anybody."""
    return {
        **os.environ,
        "SMOLIT_DATA_DIR": str(data_dir),
        "SMOLIT_KAFKA_PORT": "0",
        "SMOLIT_KAFKA_CONTROLLER_PORT": "0",
        "SMOLIT_POSTGRES_PORT": "0",
        "SMOLIT_START_TIMEOUT_S": "300",
    }


def until_processes(data_dir: Path) -> None:
    """Wait until the demo has started the runner, and with it the first process."""
    end = time.monotonic() + LONG_S
    while live_runner(data_dir) is None or not list((data_dir / "run").glob("*-*.json")):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_demo_loses_nothing_and_stops_cleanly(tmp_path: Path) -> None:
    """200 real questions, the first also by all others: all answered, feedback reaches later choices, no process is left."""
    data, figures = tmp_path / "a folder" / "data", tmp_path / "demo.json"
    with guarded(data):
        done = subprocess.run(
            [SMOLIT, "demo", "--tasks", "200", "--json", str(figures)],
            env=environment(data),
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )
        left = ours(data)

    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(figures.read_text())
    assert report.keys() >= KEYS
    assert (report["submitted"], report["completed"], report["lost"], report["failed"]) == (200, 200, 0, 0)
    assert report["feedback_seen"] > 100
    assert report["calibration_calls"] == 30 * 8
    assert "Three choices, explained" in done.stdout
    assert left == []


def test_a_demo_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM stops processes and servers as Ctrl-C does, and the exit code tells of it."""
    data = tmp_path / "data"
    with guarded(data):
        demo = subprocess.Popen([SMOLIT, "demo", "--tasks", "10"], env=environment(data), stderr=subprocess.PIPE)
        try:
            until_processes(data)
            demo.terminate()
            demo.communicate(timeout=LONG_S)
        finally:
            demo.kill()
            demo.communicate()
        left = ours(data)

    assert (demo.returncode, left) == (128 + signal.SIGTERM, [])
