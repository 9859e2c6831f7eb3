"""Reads documents of strangers in a process of their own: bounded in time, memory and output, and dead with whoever asked."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from agents.document.errors import DocumentUnreadable
from agents.document.kind import MARKDOWN, TEXT
from agents.document.text import text_of

SECONDS = 120.0
MEMORY = 4 << 30  # of addresses: onnxruntime and pdfium reserve far more than they touch
_CPU_S = 240
_AT_ONCE = (TEXT, MARKDOWN)  # nothing to take apart: read where they are
_MOST_OUTPUT = 64 << 20
# Keys and addresses of ours are none of its business: whoever takes its reader over finds none.
_GIVEN = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "XDG_CACHE_HOME")


class Told(Struct, frozen=True):
    """What the child says: the text, or why there is none."""

    text: str = ""
    reason: str = ""
    detail: str = ""


async def read(content: bytes, media_type: str, seconds: float = SECONDS) -> str:
    """Return the text of a document.

    Raises:
        DocumentUnreadable: there is none, or its reader died, took too long or too much memory.
    """
    if media_type in _AT_ONCE:
        return await asyncio.to_thread(text_of, content, media_type)
    child = await asyncio.create_subprocess_exec(
        *_argv(media_type),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={name: os.environ[name] for name in _GIVEN if name in os.environ},
    )
    try:
        async with asyncio.timeout(seconds):
            told, _ = await child.communicate(content)
    except TimeoutError:
        raise DocumentUnreadable("too_slow", f"reading it took longer than {seconds:.0f} s") from None
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return _text(told, child.returncode or 0)


def _argv(media_type: str) -> Sequence[str]:
    """Return the child's command; `-P` keeps the folder one stands in out of the imports."""
    return [sys.executable, "-P", "-m", "agents.document.contained", media_type]


def _text(told: bytes, code: int) -> str:
    """Return what the child said; raises DocumentUnreadable."""
    if code or len(told) > _MOST_OUTPUT:
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise DocumentUnreadable("reader_died", f"the reader ended with {how}: the document is damaged, or takes too much memory")
    found = msgspec.msgpack.decode(told, type=Told)
    if found.reason:
        raise DocumentUnreadable(found.reason, found.detail)
    return found.text


def main(media_type: str) -> None:
    """Be the child: bytes in, what is told out."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no part of the answer
    content = sys.stdin.buffer.read()
    try:
        told = Told(text=text_of(content, media_type))
    except DocumentUnreadable as error:
        told = Told(reason=error.reason, detail=str(error))
    except MemoryError:
        told = Told(reason="too_large", detail="reading it takes too much memory")
    except RecursionError:
        told = Told(reason="damaged", detail="it is nested too deep")
    with answer:
        answer.write(msgspec.msgpack.encode(told))


if __name__ == "__main__":
    main(sys.argv[1])
