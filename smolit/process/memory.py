"""The memory of a process: watched, and where it passes its limit the process ends in order, to be started afresh."""

import asyncio
from collections.abc import Callable

import psutil

from smolit.process import log
from smolit.process.census import share_bytes

_MIB = 2**20
PAUSE_S = 5.0


def gauge(pid: int) -> Callable[[], int | None]:
    """Return what tells a process's share of memory often: resident pages, less what others had a share in at first.

    What is shared is counted once, since that takes milliseconds; pages that are written to later count a little too low.
    """
    process = psutil.Process(pid)

    def resident() -> int | None:
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return None

    share, whole = share_bytes(pid), resident()
    others = whole - share if whole is not None and share is not None else 0

    def used() -> int | None:
        now = resident()
        return None if now is None else now - others

    return used


async def watch(
    most_mb: int,
    used_bytes: Callable[[], int | None],
    stopped: asyncio.Event,
    count: Callable[[str, int], None],
    pause_s: float = PAUSE_S,
) -> None:
    """Look now and then, until told to stop; above the limit (0: none), tell the process to stop: it ends what is under way.

    The runner starts it again with nothing in memory. An attempt that runs away is for the guard (`handlers/guard.py`), which
    looks more often.
    """
    while most_mb and not stopped.is_set():
        used = used_bytes()
        if used is not None and used > most_mb * _MIB:
            count("worker.over_memory", 1)
            log.bind().warning(
                f"it uses {used // _MIB} MiB, more than the {most_mb} of SMOLIT_WORKER_MEMORY_MB, and starts afresh"
            )
            stopped.set()
            return
        await asyncio.sleep(pause_s)
