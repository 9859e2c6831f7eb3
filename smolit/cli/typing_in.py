"""What is typed, line by line: from a terminal with its keys for editing, or from a pipe."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from threading import Thread

_PASTE_OFF = "\x1b[?2004l"  # the line editor turns it on, and off only where a line is ended


async def typed() -> AsyncIterator[str]:
    """Yield what is typed until the end; a terminal gets a prompt. Bytes that are no text become replacement characters."""
    with _as_it_was():
        while True:
            try:
                line = await _in_a_thread(_prompted if sys.stdin.isatty() else _piped)
            except EOFError:
                return
            yield line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _in_a_thread(read: Callable[[], str]) -> str:
    """Return what a read gives; whoever leaves meanwhile need not wait for the thread, as for one of a pool."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def work() -> None:
        try:
            got, wrong = read(), None
        except Exception as error:  # noqa: BLE001 it is raised where the line is waited for
            got, wrong = "", error
        loop.call_soon_threadsafe(_settle, line, got, wrong)

    Thread(target=work, daemon=True).start()
    return await line


def _settle(line: "asyncio.Future[str]", got: str, wrong: Exception | None) -> None:
    if line.done():
        return  # whoever waited has left
    if wrong is not None:
        line.set_exception(wrong)
    else:
        line.set_result(got)


def _prompted() -> str:
    return input("> ")


def _piped() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Leave a terminal as it was found: a line that is being edited when we leave has changed it."""
    if not sys.stdin.isatty():
        yield
        return
    import readline  # it lets `input` edit lines and go back to earlier ones
    import termios

    readline.parse_and_bind("set enable-bracketed-paste on")  # Python turns it off; several pasted lines are one turn with it
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        if sys.stdout.isatty():
            sys.stdout.write(_PASTE_OFF)
            sys.stdout.flush()
