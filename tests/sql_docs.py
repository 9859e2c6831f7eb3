"""The page for analysts, docs/sql.md: its blocks, run as they stand there, and what each gives.

`python -m tests.sql_docs` starts a stack of its own, fills it, and writes the outputs anew.
"""

import asyncio
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg

from projections.view import ANALYST
from smolit.cli import app
from smolit.settings import PROJECT
from smolit.stack import local
from store.migrate import upgrade
from tests.analysts import facts, tries
from tests.builders import Log
from tests.memory import remember
from tests.stacks import guarded, namespace_on, private_settings

PAGE = PROJECT / "docs" / "sql.md"
_BLOCK = re.compile(r"```(sql|python|console)\n((?:(?!```).)*)```\n\n```text\n((?:(?!```).)*)```", re.S)
_HEADING = re.compile(r"^## (.*)$", re.M)


class Block(NamedTuple):
    """One block of the page: what it stands under, its language and code, and what the page says that it gives."""

    heading: str
    language: str
    code: str
    output: str


class Answer(NamedTuple):
    """What a query gives."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def told(self) -> list[dict[str, Any]]:
        """Return each row by column, numbers as floats."""
        return [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]

    def text(self) -> str:
        """Return it as a table of text."""
        cells = [self.columns, *([("" if item is None else str(item)) for item in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [all(_is_number(row[place]) for row in self.rows) for place in range(len(widths))]
        lines = ["  ".join(_padded(*cell) for cell in zip(row, widths, right, strict=True)).rstrip() for row in cells]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]]) + "\n"


def blocks(text: str) -> list[Block]:
    """Return the page's blocks that have an output."""
    return [Block(_heading(text, found.start()), *found.groups()) for found in _BLOCK.finditer(text)]


def fill(dsn: str) -> None:
    """Migrate a database and fold the analysts' four weeks into it, as the projections would."""
    upgrade(dsn)
    asyncio.run(remember(dsn, [Log().add(*facts(tries())).records]))


def ask(dsn: str, query: str) -> Answer:
    """Return what an analyst gets for a query."""
    with psycopg.connect(dsn, options=f"-c role={ANALYST}") as connection:
        cursor = connection.execute(query.encode())
        return Answer([column.name for column in cursor.description or ()], cursor.fetchall())


def output(block: Block, dsn: str) -> str:
    """Return what a block gives, as it stands in the page."""
    if block.language == "sql":
        return ask(dsn, block.code).text()
    with _environment(dsn), redirect_stdout(io.StringIO()) as said:
        if block.language == "python":
            exec(compile(block.code, PAGE.name, "exec"), {"__name__": "docs"})
        else:
            app.run(block.code.removeprefix("$ smolit ").split())
    return "".join(f"{line.rstrip()}\n" for line in said.getvalue().splitlines())


@contextmanager
def _environment(dsn: str) -> Iterator[None]:
    """Have the page's code and the command line find a database."""
    found = {"ANALYST_URL": dsn, "SMOLIT_POSTGRES": dsn, "SMOLIT_KAFKA": "nobody.invalid:9092"}
    with patch.dict(os.environ, found):
        yield


def _heading(text: str, place: int) -> str:
    """Return the heading that a place stands under."""
    return [found[1] for found in _HEADING.finditer(text, 0, place)][-1]


def _plain(item: object) -> object:
    return float(item) if _is_number(item) and item is not None else item  # type: ignore[arg-type]


def _is_number(item: object) -> bool:
    return item is None or hasattr(item, "__float__")


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def main() -> None:
    """Put what each block gives now into the page."""
    with tempfile.TemporaryDirectory() as folder, guarded(Path(folder) / "data"):
        stack = local.up(private_settings(Path(folder) / "data"))
        with namespace_on(stack, Path(folder) / "mine") as mine:
            fill(mine.postgres)
            text = PAGE.read_text(encoding="utf-8")
            for block in blocks(text):
                old = f"{block.code}```\n\n```text\n{block.output}```"
                text = text.replace(old, f"{block.code}```\n\n```text\n{output(block, mine.postgres)}```")
            PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
