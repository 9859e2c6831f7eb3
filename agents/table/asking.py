"""Ask a table: start a cell, hand over the files and the question, and end it when its time is up."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agents.table.cell import TOO_SLOW, Reply, Request
from agents.table.reading import TableRefused

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 20.0  # to start a process and to read files of the greatest size, on a busy machine
_MOST_REPLY = 16_000_000  # bytes


async def ask(files: Mapping[str, bytes], sql: str | None = None, question: str | None = None, timeout_s: float = 5.0) -> Reply:
    """Return what SQL, or a question in words, brings on these files by the names of their tables.

    Raises:
        TableRefused: `too_slow`, or the cell died (`too_much`).
    """
    request = Request(tuple((name, len(content)) for name, content in files.items()), sql, question, timeout_s)
    said = msgspec.json.encode(request) + b"\n" + b"".join(files.values())
    with tempfile.TemporaryDirectory(prefix="smolit-table-") as folder:  # ours, so that it goes even if the cell is killed
        process = await _started(folder)
        try:
            async with asyncio.timeout(_START_S + timeout_s):
                told, _ = await process.communicate(said)
        except TimeoutError as error:
            raise TableRefused("too_slow", f"the query took more than {timeout_s:g} s") from error
        finally:
            await _ended(process)
    if process.returncode == TOO_SLOW:
        raise TableRefused("too_slow", f"the query took more than {timeout_s:g} s")
    if process.returncode != 0 or len(told) > _MOST_REPLY:
        raise TableRefused("too_much", "the query needs more memory than it may have")
    return msgspec.json.decode(told, type=Reply)


async def _started(folder: str) -> asyncio.subprocess.Process:
    """Start a cell, whose files lie in a folder. It has no environment but where our code is: no key is there to be read."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-s",
        "-m",
        "agents.table.cell",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(_ROOT), "TMPDIR": folder, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, and all that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it ended in between
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
