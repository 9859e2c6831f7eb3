"""Cleaning: a text made plain before a model reads it. For the first step of a pipeline of steps."""

import re
import unicodedata
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work

_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


class CleanSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How: at most so many characters (longer is refused, never cut), line ends kept or not, at least one character or none."""

    most_chars: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    one_line: bool = False
    may_be_empty: bool = False


class Clean:
    """Gives `input.text`, or the task's text, in Unicode's composed form, without control characters and doubled blanks."""

    name: ClassVar[str] = "clean"
    Settings: ClassVar[type[Struct]] = CleanSettings

    def __init__(self, settings: CleanSettings, _toolbox: Toolbox) -> None:
        self._settings = settings

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Clean.

        Raises:
            AgentFailed: nothing is left, or too much.
        """
        watch = Stopwatch(timer)
        given = work.input.get("text")
        with watch.step("clean"):
            text = cleaned(given if isinstance(given, str) else work.text, self._settings.one_line)
        if len(text) > self._settings.most_chars:
            raise AgentFailed("text_too_long", f"{len(text)} characters; {self._settings.most_chars} are allowed")
        if not text and not self._settings.may_be_empty:
            raise AgentFailed("text_empty", "there is no text to work on")
        return Result({"text": text}, watch.steps)


def cleaned(text: str, one_line: bool) -> str:
    """Return a text in composed form, without control and zero-width characters, and with single blanks."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(char for char in composed if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    lines = _LINES.sub(" " if one_line else "\n", _BLANKS.sub(" ", kept))
    return lines.strip()
