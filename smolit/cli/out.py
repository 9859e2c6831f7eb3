"""How commands speak: results on standard output, for people or as JSON; everything else on standard error."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from events.text import plain

if TYPE_CHECKING:
    from learning.statistics import Interval  # numpy: most commands need none

_WIDE = 240  # of what is not a terminal: whoever reads it later wants whole cells
_CELL = 400
_OBEYED = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def say(told: str) -> None:
    """Say something on standard error; its lines are free of control characters, for it may repeat what a stranger wrote."""
    clean = "\n".join(plain(line, 1_000_000) for line in told.split("\n"))
    _console(sys.stderr).print(Text(clean), soft_wrap=True)


def line(told: str) -> None:
    """Write one line of a result, free of control characters."""
    print(plain(told, 1_000_000))


def piece(told: str) -> None:
    """Write a part of a text that goes on, at once, free of control characters but for its ends of lines."""
    print(_lines(told), end="", flush=True)


def text(told: str) -> None:
    """Write a text of one or more lines, free of other control characters."""
    print(_lines(told), flush=True)


def json(content: Any) -> None:
    """Write a result as JSON."""
    print(_harmless(msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2).decode()))


def json_line(content: Any) -> None:
    """Write one result of many as one line of JSON, at once."""
    print(_harmless(msgspec.json.encode(content, order="sorted").decode()), flush=True)


def _harmless(written: str) -> str:
    """Return JSON with what JSON leaves as it is and a terminal obeys, or shows in another order, as escapes."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Write a table."""
    made = Table(*columns, title=title, box=SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False)
    for row in rows:
        made.add_row(*(Text(cell(content)) for content in row))
    _console(sys.stdout).print(made)


def facts(pairs: Mapping[str, object]) -> None:
    """Write what is known of one thing; what is not known is left out."""
    made = Table(box=None, show_header=False, pad_edge=False)
    for name, content in pairs.items():
        if content is not None:
            made.add_row(Text(name, style="bold"), Text(cell(content)))
    _console(sys.stdout).print(made)


def interval(found: "Interval | None") -> str | None:
    """Return a value with both ends of its interval."""
    return None if found is None else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def cell(content: object) -> str:
    """Return a value as people read it, on one line, free of control characters."""
    match content:
        case None:
            return ""
        case bool():
            return "yes" if content else "no"
        case datetime():
            return content.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case float():
            return f"{content:.4g}"
        case str():
            return plain(content, _CELL)
        case int():
            return str(content)
        case _:
            return plain(msgspec.json.encode(content).decode(), _CELL)


def _lines(told: str) -> str:
    return "\n".join(plain(part, 1_000_000) for part in told.replace("\r\n", "\n").split("\n"))


@contextmanager
def progress(total: int | None = None) -> Iterator[Progress]:
    """Show progress on standard error while the context lasts; only a terminal gets anything that moves."""
    parts = [TextColumn("{task.description}"), TimeElapsedColumn()]
    counted = [BarColumn(), MofNCompleteColumn()] if total else []
    with Progress(SpinnerColumn(), *counted, *parts, console=_console(sys.stderr), transient=True) as shown:
        yield shown


def _console(stream: Any) -> Console:
    """Return a console that takes texts as they are: no markup, no colour of its own."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else _WIDE)
