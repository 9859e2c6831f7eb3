"""The memory of a process: watched, and where it passes its limit the process ends in order, to be started afresh."""

import asyncio
from collections.abc import Callable

from smolit.process import log

_MIB = 2**20
PAUSE_S = 5.0


async def watch(
    most_mb: int,
    used_bytes: Callable[[], int | None],
    stopped: asyncio.Event,
    count: Callable[[str, int], None],
    pause_s: float = PAUSE_S,
) -> None:
    """Look now and then, until told to stop; above the limit (0: none), tell the process to stop: it ends what is under way.

    The runner starts it again with nothing in memory. A single attempt is not stopped by it, so what an attempt takes may
    pass the limit until it has ended.
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
