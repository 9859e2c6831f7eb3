"""Text from outside: how to quote it in a message, and whether Postgres can hold it."""

import math
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

MAX_DEPTH = 64  # of a JSON value; json, msgspec and Postgres all recurse, and each has a limit of its own
_CLEAN = frozenset({int, bool, type(None)})


def plain(text: str, limit: int = 300) -> str:
    """Return text that prints on one line: cut at `limit` characters, with control and bidi characters escaped."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def quoted(text: str, limit: int = 80) -> str:
    """Return what somebody sent us, in quotes, fit for a message."""
    return f"'{plain(text, limit)}'"


def unstorable(value: Any, name: str = "") -> str | None:
    """Return why Postgres cannot hold a value called `name`, with the path of the culprit; None if it can.

    The value is JSON, or an event class full of it. Postgres text and jsonb hold neither U+0000 nor lone surrogates,
    NaN and infinities are no JSON, and what is nested deeper than `MAX_DEPTH` chokes one library or another.
    """
    if (found := _flaw(value, MAX_DEPTH)) is None:
        return None
    path, flaw = found
    return f"{(name + path).lstrip('.')} {flaw}".strip()


def _flaw(value: Any, depth: int) -> tuple[str, str] | None:
    """Return the path and the flaw of the first culprit; paths are spelled only on the way back, as most are clean."""
    if isinstance(value, str):
        flaw = _text_flaw(value)
        return ("", flaw) if flaw else None
    if isinstance(value, dict | list | tuple | Struct):
        return _inner_flaw(value, depth - 1) if depth else ("", f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, float) and not math.isfinite(value):
        return "", "is not a finite number"
    return None


def _inner_flaw(value: Any, depth: int) -> tuple[str, str] | None:
    """Return the first culprit in a container."""
    for step, inner in _members(value):
        if type(step) is int and type(inner) in _CLEAN:  # a list of a million numbers should not take seconds
            continue
        if isinstance(step, str) and (flaw := _text_flaw(step)):
            return f".{plain(step, 80)}", f"is a key that {flaw}"
        if found := _flaw(inner, depth):
            path, flaw = found
            return (f"[{step}]{path}" if isinstance(step, int) else f".{plain(str(step), 80)}{path}"), flaw
    return None


def _members(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return what lies in a container, each with its key, field name or place."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, Struct):
        return ((name, getattr(value, name)) for name in value.__struct_fields__)
    return enumerate(value)


def _text_flaw(text: str) -> str | None:
    """Return why Postgres cannot hold a text, if it cannot."""
    if "\0" in text:
        return f"holds the character U+0000 at position {text.index(chr(0))}"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"holds the lone surrogate U+{ord(text[error.start]):04X} at position {error.start}"
    return None
