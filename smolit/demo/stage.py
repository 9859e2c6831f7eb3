"""The demo's stage: a stack of ours, all processes ready, all agents live; and everything it started stopped again."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from events.topics import Names
from smolit.errors import ProcessesNotReady, ServerForeign
from smolit.process import background
from smolit.process.ports import utc_now
from smolit.process.prepare import prepare
from smolit.process.runner import live_runner
from smolit.settings import Settings
from smolit.stack import local
from smolit.stack.local import Endpoints
from smolit.stack.status import status
from streams.live import LiveAgents

Say = Callable[[str], None]
POLL_S = 0.1
_BY_SIGNAL = 128  # and the signal's number: the exit code by which a shell tells of it


@contextmanager
def staged(settings: Settings, say: Say) -> Iterator[Endpoints]:
    """Bring up what is not there yet; at the end, also one by SIGTERM, stop what was brought up here, and nothing else.

    Raises:
        ServerForeign: the settings name a Kafka or Postgres that is not ours.
    """
    refuse_foreign(settings)
    before = status(settings)
    had_servers = before.kafka.running and before.postgres.running
    had_processes = live_runner(settings.data_dir) is not None
    before_signal = signal.signal(signal.SIGTERM, leave)
    try:
        yield _brought_up(settings, say)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what it asks for is being done
        if not had_processes:
            background.halt(settings, say)
        if not had_servers:
            local.down(settings, progress=say)
        signal.signal(signal.SIGTERM, before_signal)


def _brought_up(settings: Settings, say: Say) -> Endpoints:
    """Start what is not there yet, and wait until all processes are ready."""
    with background.launching(settings) as begin:
        endpoints = local.up(settings, say)
        asyncio.run(prepare(settings, endpoints, say))
        begin()
    background.wait_ready(settings, say)
    return endpoints


def restarted(settings: Settings, say: Say) -> Endpoints:
    """Stop every process and both servers, and bring all up again."""
    background.halt(settings, say)
    local.down(settings, progress=say)
    return _brought_up(settings, say)


def leave(number: int, _frame: object) -> NoReturn:
    """Leave as at Ctrl-C: whatever is open is closed on the way out."""
    raise SystemExit(_BY_SIGNAL + number)


def refuse_foreign(settings: Settings) -> None:
    """Never fill a Kafka or Postgres that is not ours with made-up work."""
    if settings.kafka or settings.postgres.get_secret_value():
        raise ServerForeign("The demo only runs on smolit's own local stack; unset SMOLIT_KAFKA and SMOLIT_POSTGRES.")


async def wait_live(settings: Settings, endpoints: Endpoints, agents: Sequence[str]) -> None:
    """Wait until every agent was registered and some worker serves it.

    Raises:
        ProcessesNotReady: one of them is not served in time.
    """
    names = Names(settings.topic_prefix)
    live = LiveAgents(endpoints.kafka, "demo-live", names, settings.heartbeat_s, utc_now, time.monotonic)
    await live.start()
    try:
        deadline = time.monotonic() + settings.start_timeout_s
        while missing := [agent for agent in agents if not live.serves(agent)]:
            if time.monotonic() > deadline:
                raise ProcessesNotReady(f"no worker serves {', '.join(missing)}; `smolit status` shows what runs")
            await asyncio.sleep(POLL_S)
    finally:
        await live.stop()
