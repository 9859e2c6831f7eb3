"""A cell: the process in which one table is asked. It has no environment, little memory, and is killed when its time is up.

The database's own limits are not enough: some functions on long texts can be neither interrupted nor kept from memory.
Standard input: one line of JSON with the request, then the files' bytes; standard output: one line of JSON.
"""

import os
import resource
import sys
import threading
from typing import Any, BinaryIO

import msgspec

from agents.table.cabinet import Answer, Cabinet, opened
from agents.table.marked import Sheet
from agents.table.question import sql_of
from agents.table.reading import TableRefused

MOST_VALUES = 200  # of a text column, for questions that name one
_MEMORY = 3_000_000_000  # bytes of address space; DuckDB itself keeps to less, what Python reads comes on top
_FILE = 400_000_000  # bytes that may be written: the CSV files, once
_OPEN_FILES = 64
_GRACE_S = 1.0
TOO_SLOW = 9  # exit status


class Request(msgspec.Struct, frozen=True):
    """What is asked: `sql` as it is, or a `question` in words, or neither (what is there). `files` are names and sizes."""

    files: tuple[tuple[str, int], ...]
    sql: str | None = None
    question: str | None = None
    timeout_s: float = 5.0


class Reply(msgspec.Struct, frozen=True):
    """What came of it: an answer with its SQL, or a refusal; and what the tables are in any case but a file that is none."""

    sheets: tuple[Sheet, ...] = ()
    sql: str | None = None
    answer: Answer | None = None
    code: str | None = None
    why: str | None = None


def reply(request: Request, contents: dict[str, bytes]) -> Reply:
    """Return what a request brings."""
    try:
        with opened(contents) as cabinet:
            return _asked(cabinet, request)
    except TableRefused as refusal:
        return Reply(code=refusal.code, why=str(refusal))


def _asked(cabinet: Cabinet, request: Request) -> Reply:
    """Return the answer of an open cabinet."""
    sheets = tuple(_sheet(cabinet, name) for name in cabinet.tables) if request.sql is None else ()
    try:
        sql = (
            request.sql if request.sql is not None else sql_of(request.question, sheets) if request.question is not None else None
        )
        answer = None if sql is None else _bounded(cabinet, sql, request.timeout_s)
    except TableRefused as refusal:
        return Reply(sheets, code=refusal.code, why=str(refusal))
    return Reply(sheets, sql, answer)


def _bounded(cabinet: Cabinet, sql: str, timeout_s: float) -> Answer:
    """Return the answer, or end this process: not everything listens to an interrupt."""
    end = threading.Timer(timeout_s + _GRACE_S, os._exit, (TOO_SLOW,))
    end.daemon = True
    end.start()
    try:
        return cabinet.ask(sql, timeout_s)
    finally:
        end.cancel()


def _sheet(cabinet: Cabinet, name: str) -> Sheet:
    """Return what a question may name of a table."""
    columns = cabinet.tables[name]
    texts = {column.name: tuple(cabinet.values(name, column.name, MOST_VALUES)) for column in columns if column.type == "VARCHAR"}
    return Sheet(name, columns, texts)


def limit() -> None:
    """Take away what is not needed, for good."""
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer one request."""
    limit()
    request = msgspec.json.decode(source.readline(), type=Request)
    contents = {name: source.read(size) for name, size in request.files}
    try:
        told: Any = reply(request, contents)
    except MemoryError:
        told = Reply(code="too_much", why="the query needs more memory than it may have")
    sink.write(msgspec.json.encode(told))
    sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
