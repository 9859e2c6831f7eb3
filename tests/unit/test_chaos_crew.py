"""The crew stops the process it means, also one that is only coming back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest

from smolit.chaos.crew import Crew
from smolit.chaos.world import World
from smolit.process.brood import Order, Report
from smolit.process.nurse import Hear, Nurse
from smolit.process.roster import Slot
from smolit.settings import load_settings

SLOT = Slot("worker", "1")


class Ordered:
    """A nurse that keeps what was ordered; the test says when a process is there."""

    def order(self, order: Order, hear: Hear) -> None:
        """Keep whom to tell."""
        self.hear = hear


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of its own."""
    one = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield one
    one.kill()
    one.wait()


async def test_a_process_that_is_only_coming_back_is_stopped_when_it_is_there(
    process: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    """A signal to a process that just died reaches nobody: that was no sleep, and proves nothing when nobody takes over."""
    nurse = Ordered()
    (tmp_path / "data").mkdir()
    crew = Crew(cast("Nurse", nurse), World("crew", load_settings(data_dir=tmp_path / "data")))
    crew.start([SLOT])

    at_once = await crew.stop(SLOT, 0.1)
    nurse.hear(Report(SLOT.identity, process.pid, "started"))
    in_the_end = await crew.stop(SLOT, 10.0)

    assert (at_once, in_the_end) == (False, True)
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
