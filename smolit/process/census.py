"""How the processes are: what the runner and each process wrote down, and what each answers when asked."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from msgspec import Struct

from smolit.process import record
from smolit.process.record import ProcessRecord
from smolit.process.roster import Slot
from smolit.process.runner import ChildRecord, read_runner
from smolit.stack.port import HOST

_PATIENCE_S = 2.0
_OK = 200


class Standing(Struct, frozen=True):
    """One process now. `pid` None: it does not run."""

    name: str
    instance: str
    pid: int | None
    ready: bool
    restarts: int
    uptime_s: float | None
    rss_bytes: int | None
    port: int | None

    @property
    def identity(self) -> str:
        """Return the name of the process among all of this data folder."""
        return record.identity(self.name, self.instance)


def census(data_dir: Path) -> list[Standing]:
    """Return every process that the runner wants or that runs by itself, asked at the same time."""
    runner = read_runner(data_dir)
    children = {Slot(child.name, child.instance): child for child in (runner.children if runner else ())}
    records = {Slot(one.name, one.instance): one for one in record.read_all(data_dir)}
    known = sorted({*children, *(slot for slot, one in records.items() if record.live(one))})
    with ThreadPoolExecutor(max_workers=max(1, len(known))) as pool:
        return list(pool.map(lambda slot: _standing(slot, records.get(slot), children.get(slot)), known))


def ready(port: int) -> bool:
    """Ask a process whether it takes work in."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def share_bytes(pid: int) -> int | None:
    """Return a process's share of memory: pages that several have are divided among them; None where nobody counts so.

    Forked processes have most pages together. It takes milliseconds, so whoever only waits for a process does not ask.
    """
    try:
        return getattr(psutil.Process(pid).memory_full_info(), "pss", None)
    except psutil.Error:
        return None


def _standing(slot: Slot, written: ProcessRecord | None, child: ChildRecord | None) -> Standing:
    """Return how one process is; what it wrote itself counts once it has written it."""
    running = record.live(written) if written else None
    port = written.port if written and running else None
    if running is None and child is not None:
        running = record.live(ProcessRecord(child.name, child.instance, child.pid, child.started_at))
    return Standing(
        name=slot.name,
        instance=slot.instance,
        pid=running.pid if running else None,
        ready=ready(port) if port else False,
        restarts=child.restarts if child else 0,
        uptime_s=_uptime(running),
        rss_bytes=_memory(running),
        port=port,
    )


def _uptime(running: psutil.Process | None) -> float | None:
    return max(0.0, time.time() - running.create_time()) if running else None


def _memory(running: psutil.Process | None) -> int | None:
    """Return resident memory; a process may end while it is asked."""
    try:
        return int(running.memory_info().rss) if running else None
    except psutil.NoSuchProcess:
        return None
