"""An agent's output, for people: what they asked for first and whole, where it comes from and what is said of it beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from smolit.cli import out
from smolit.errors import NothingFound
from store import blob
from store.blob import BlobMissing
from store.postgres import Connection

_SAID = ("report", "answer", "summary", "text", "value", "label", "result")  # what an output is about: the first that it has
_BESIDE = ("confidence", "model", "fallback", "language", "flag", "sql", "cut")  # what is said of it, if it has that


async def whole(connection: Connection, output: Any, output_sha256: str | None) -> Any:
    """Return an output as a fact has it, or from the blob store where it is too long for one.

    Raises:
        NothingFound: it was forgotten.
    """
    if output_sha256 is None:
        return output
    try:
        return msgspec.json.decode(await blob.get(connection, output_sha256))
    except BlobMissing:
        raise NothingFound(f"the output {output_sha256[:12]} is not there any more: its task was forgotten") from None


def show(output: Any) -> None:
    """Write what an agent brought: text as it is, rows as a table, anything else as JSON; beside it what is said of it."""
    if not isinstance(output, Mapping):
        _text(output)
    elif _is_table(output):
        out.table(output["columns"], output["rows"])
        _beside(output)
    elif (said := next((name for name in _SAID if _is_plain(output.get(name))), None)) is not None:
        _text(output[said])
        if output[said] == "":  # a blank page, a program without output
            out.say(f"the {said} is empty")
        _cited(output.get("citations"))
        _beside(output)
    else:
        out.json(output)


def _text(content: Any) -> None:
    """Write a text line by line, or a value as JSON."""
    told = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    for one in told.splitlines() or [""]:
        out.line(one)


def _cited(citations: Any) -> None:
    """Say which passages an answer rests on."""
    for one in citations if isinstance(citations, Sequence) and not isinstance(citations, str) else ():
        if isinstance(one, Mapping):
            where = one.get("title") or one.get("document_id") or one.get("domain") or "?"
            out.say(f"from {out.cell(where)}: {out.cell(one.get('quote'))}")


def _beside(output: Mapping[str, Any]) -> None:
    """Say how sure the agent is, and by what it knows."""
    told = [f"{name} {out.cell(output[name])}" for name in _BESIDE if _is_told(output.get(name))]
    if told:
        out.say(", ".join(told))


def _is_told(content: Any) -> bool:
    """Say whether there is something to tell; 0 is, and equals False."""
    return content is not None and content is not False and content != ""


def _is_plain(content: Any) -> bool:
    return isinstance(content, str | int | float)


def _is_table(output: Mapping[str, Any]) -> bool:
    """Return whether an output is columns and rows of them."""
    columns, rows = output.get("columns"), output.get("rows")
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not isinstance(rows, Sequence) or isinstance(rows, str):
        return False
    named = all(isinstance(one, str) for one in columns)
    return named and all(isinstance(row, Sequence) and not isinstance(row, str) and len(row) == len(columns) for row in rows)
