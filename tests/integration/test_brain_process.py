"""A stream processor that stood still for longer than its session ends at once, whatever its clean stop would take."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bus.admin import provision
from events.topics import TASKS, Names
from smolit.process.census import census
from smolit.process.roster import environment
from smolit.process.shell import FAILED
from smolit.settings import load_settings
from streams.app import SESSION_S
from tests.said import PATIENCE_S
from tests.stacks import Namespace

PROGRAM = Path(__file__).with_name("brain_endless.py")


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, not for ever."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_who_slept_too_long_ends_at_once_and_says_why(namespace: Namespace) -> None:
    """After SIGSTOP for longer than the session it does not stop in order: it says why, and ends as what is to be restarted."""
    topic = Names(namespace.topic_prefix).of(TASKS)
    asyncio.run(provision(namespace.kafka, {topic: TASKS}))
    settings = load_settings(
        data_dir=namespace.settings.data_dir, kafka=namespace.kafka, topic_prefix=namespace.topic_prefix, log_format="json"
    )
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), topic],
        env=environment(settings, {"PYTHONPATH": str(PROGRAM.parents[2])}),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: any(one.ready for one in census(settings.data_dir)))
        process.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S + 1)  # there is nothing to wait for: standing still is what is tried
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == FAILED
    assert '"SleptTooLong"' in said
