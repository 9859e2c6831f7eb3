"""The demo, as a person types it: small, with all its figures, and with nothing left running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

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


def test_the_demo_loses_nothing_and_stops_cleanly(tmp_path: Path) -> None:
    """200 real questions: all answered, feedback reaches later choices, every figure is there, no process is left."""
    data, figures = tmp_path / "a folder" / "data", tmp_path / "demo.json"
    environment = {
        **os.environ,
        "SMOLIT_DATA_DIR": str(data),
        "SMOLIT_KAFKA_PORT": "0",
        "SMOLIT_KAFKA_CONTROLLER_PORT": "0",
        "SMOLIT_POSTGRES_PORT": "0",
        "SMOLIT_START_TIMEOUT_S": "300",
    }
    with guarded(data):
        done = subprocess.run(
            [SMOLIT, "demo", "--tasks", "200", "--json", str(figures)],
            env=environment,
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
    assert "Three choices, explained" in done.stdout
    assert left == []
