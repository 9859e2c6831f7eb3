"""A language model that obeys every instruction it comes across, wherever it stands, and tells all that it has seen."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from agents.port import Ask, Said
from tests.whole import Whole

_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_DECODER = json.JSONDecoder()


def order(name: Any, arguments: Any) -> str:
    """Return an instruction that the obedient model understands."""
    return f"CALL {json.dumps(name)} WITH {json.dumps(arguments)} NOW"


class Obedient(Whole):
    """Makes the calls it was told to make first, then every call that any text asks for, then answers with all of it."""

    def __init__(self, first: tuple[tuple[str, Mapping[str, Any]], ...] = ()) -> None:
        self._todo: list[Any] = [{"call": name, "arguments": dict(arguments)} for name, arguments in first]
        self._obeyed: set[str] = set()
        self.read = ""

    async def complete(self, ask: Ask) -> Said:
        """Do as some text says."""
        self.read = "\n".join(message.content for message in ask.messages)
        for name, arguments in _orders(self.read):
            if (told := order(name, arguments)) not in self._obeyed:
                self._obeyed.add(told)
                self._todo.append({"call": name, "arguments": arguments})
        data = self._todo.pop(0) if self._todo else {"answer": self.read}
        return Said("", "obedient", "test", False, 10, 10, 1, 1, data=data)

    @property
    def obeyed(self) -> int:
        """Return how many instructions of strangers it followed."""
        return len(self._obeyed)


def _orders(prompt: str) -> Iterator[tuple[Any, Any]]:
    """Yield every order in a prompt: in its texts as they are, inside of its JSON, and in what base64 hides."""
    for text in _texts(prompt):
        for piece in (text, *map(_unhidden, _BASE64.findall(text))):
            for start in re.finditer(r"CALL ", piece):
                with suppress(ValueError):
                    name, end = _DECODER.raw_decode(piece, start.end())
                    if piece.startswith(" WITH ", end):
                        yield name, _DECODER.raw_decode(piece, end + len(" WITH "))[0]


def _texts(prompt: str) -> Iterator[str]:
    """Yield a prompt's lines, and every text inside of those that hold JSON."""
    for line in prompt.splitlines():
        yield line
        with suppress(ValueError):
            yield from _inside(_DECODER.raw_decode(line, line.index("{"))[0])


def _inside(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value; one that is JSON itself is opened, too."""
    if isinstance(value, str):
        yield value
        with suppress(ValueError):
            yield from _inside(json.loads(value)) if value[:1] in "{[" else ()
    elif isinstance(value, dict | list):
        for one in (*value, *value.values()) if isinstance(value, dict) else value:  # names of fields are texts, too
            yield from _inside(one)


def _unhidden(text: str) -> str:
    """Return what base64 hides, or nothing."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
