"""Entities: who, where, when and how much stands in a text, each with the place where it stands."""

import asyncio
from collections import Counter
from typing import ClassVar

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.finding.names import Names
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work

MOST_CHARS = 50_000


class EntitiesSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Entities:
    """Finds people, organisations, places, dates, sums of money, invoice numbers, e-mail addresses and IBANs."""

    name: ClassVar[str] = "entities"
    Settings: ClassVar[type[Struct]] = EntitiesSettings

    def __init__(self, _settings: EntitiesSettings, _toolbox: Toolbox) -> None:
        return

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Look into `input.text`, or the task's text where there is none; offsets count its characters.

        Raises:
            AgentFailed: the text is too long, or what was found does not stand where it should.
        """
        given = work.input.get("text")
        text = given if isinstance(given, str) else work.text
        if len(text) > MOST_CHARS:
            raise AgentFailed("text_too_long", f"{len(text)} characters; {MOST_CHARS} are read at most")
        watch = Stopwatch(timer)
        with watch.step("load"):
            names = await asyncio.to_thread(Names.load)
        with watch.step("find", model=names.model):
            found = await asyncio.to_thread(names.find, text)
        with watch.step("check"):
            if wrong := next((one for one in found if text[one.start : one.end] != one.text), None):
                raise AgentFailed("implausible", f"{wrong.text!r} does not stand at {wrong.start}")
        counts = Counter(one.kind for one in found)
        return Result({"entities": msgspec.to_builtins(found), "counts": dict(sorted(counts.items()))}, watch.steps)
