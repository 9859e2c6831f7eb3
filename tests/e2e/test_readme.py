"""The README's first steps, typed as they stand there, on a stack of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

from smolit.settings import PROJECT
from tests.stacks import guarded

SMOLIT = str(Path(sys.executable).with_name("smolit"))
LONG_S = 600


def commands() -> list[str]:
    """Return the commands of the blocks that the README says are run by this test."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"run by tests/e2e/test_readme\.py -->\n```console\n(.*?)```", text, re.S)
    return [line.removeprefix("$ ") for block in found for line in block.splitlines() if line.startswith("$ ")]


def test_the_first_steps_work_as_written(tmp_path: Path) -> None:
    """Every command of the README's first steps exits 0, from a fresh data folder."""
    environment = {
        **os.environ,
        "SMOLIT_DATA_DIR": str(tmp_path / "data"),
        "SMOLIT_KAFKA_PORT": "0",
        "SMOLIT_KAFKA_CONTROLLER_PORT": "0",
        "SMOLIT_POSTGRES_PORT": "0",
        "SMOLIT_START_TIMEOUT_S": "300",
    }
    typed = commands()
    failed: list[tuple[str, int, str]] = []
    with guarded(tmp_path / "data"):
        for command in typed:
            shell = command.replace("smolit", f'"{SMOLIT}"', 1)
            done = subprocess.run(
                ["/bin/sh", "-c", shell],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,  # a talk ends at once
                capture_output=True,
                text=True,
                timeout=LONG_S,
                check=False,
            )
            if done.returncode:
                failed.append((command, done.returncode, done.stderr[-2000:]))

    assert {"smolit up", "smolit chat", "smolit projection verify --all", "smolit down"} <= set(typed)
    assert failed == []
