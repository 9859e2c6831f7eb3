"""The same scripts without a stack: what the front decides, and what the house's agents answer in this process.

`python -m bench.chat.dry --half unseen --turns 1000` prints the course. No language model speaks: whatever one would say is
an empty answer that counts as given, and what it should hold is not looked at. Agents are chosen by kind alone, and nobody
checks messages or keeps facts, so times, losses and repeats are for `smolit bench chat` to tell.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast, get_args

import httpx
import numpy as np
from msgspec.structs import replace

from agents import told
from agents.catalog import build
from agents.errors import AgentFailed
from agents.front import decide, words
from agents.front.follow import Before
from agents.front.forgetting import meant
from agents.front.recollect import Memory, recollect
from agents.front.remember import Said
from agents.front.sort import Sorter
from agents.pipeline import Effects, Toolbox, Work
from agents.spec import load
from agents.vectors import Encoders
from bench.chat.command import show
from bench.chat.score import Heard, Turned, scored
from bench.chat.script import Half, Line, Script, rounds
from events.agent import AgentSpec
from handlers.front_port import Agent
from handlers.reply import helper
from learning.match import CLEAR_FIT
from learning.outcomes import Outcomes
from learning.static import StaticEncoder
from smolit.process.prepare import SPECS
from smolit.settings import PROJECT, load_settings

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SPEAKS = "no_language_model"


class Mind:
    """Reads texts with the static encoder, the default of the settings."""

    def __init__(self) -> None:
        self._vector = lru_cache(8_192)(StaticEncoder.load().encode)
        self.sorter = Sorter.load(self._vector)

    def alike(self, text: str, other: str) -> float:
        """Return the cosine of two texts."""
        return float(np.dot(self._vector(text), self._vector(other)))


class Talk:
    """One conversation: what the thread and the memory would hold."""

    def __init__(self, mind: Mind, specs: Sequence[AgentSpec], toolbox: Toolbox) -> None:
        self._mind, self._specs, self._toolbox = mind, specs, toolbox
        self._agents = [
            Agent(one.id, one.description, one.skills, tuple((one.inputs or {}).get("required", ())), one.examples, one)
            for one in specs
        ]
        self._before: Before | None = None
        self._pending: tuple[str, tuple[str, ...]] | None = None
        self._held: dict[str, Memory] = {}

    async def turn(self, text: str) -> tuple[str, str, bool]:
        """Return sort and text of the answer, and whether a language model would say it; a task that failed is an `error`."""
        pending, missing = self._pending or (None, ())
        whole = f"{pending}\n{text}" if pending else text
        helpers = tuple(helper(one, whole, self._mind.alike) for one in self._agents)
        turn = decide.Turn(text, 0, self._mind.sorter.sort(text), helpers, pending, missing, {}, self._before)
        before, self._before, self._pending = self._before, None, None
        match decide.decide(turn):
            case decide.Do() as errand:
                self._note(errand.said)
                return await self._do(errand, turn)
            case decide.AskBack(question=question, pending=waits, missing=lacks):
                self._pending = waits, lacks
                return "clarification", question, False
            case decide.Recall():
                self._before = before
                return "recall", self._recalled(text), False
            case decide.Note(said=said):
                self._before = before
                self._note(said)
                return "note", words.noted([one.text for one in said]), False
            case decide.Forget(what=what):
                self._before = before
                gone = meant(what, list(reversed(self._held.values())))
                for one in gone:
                    del self._held[one.subject]
                return "forget", words.forgotten(len(gone)), False
            case decide.Leave():
                return "left", words.LEFT, False
            case decide.Talk():
                return "talk", "", True

    def _note(self, said: Sequence[Said]) -> None:
        for one in said:
            self._held.pop(one.subject, None)
            self._held[one.subject] = Memory(one.subject, one.subject, one.text, _NOW)

    def _recalled(self, text: str) -> str:
        known = list(reversed(self._held.values()))
        near = [replace(one, cosine=self._mind.alike(text, one.text)) for one in known]
        return recollect(text, known, sorted(near, key=lambda one: -one.cosine))[1]

    async def _do(self, errand: decide.Do, turn: decide.Turn) -> tuple[str, str, bool]:
        """Have the task done by the first agent of its kind; without a kind by the nearest, if it is near enough."""
        nearest = max(turn.helpers, key=lambda one: one.fit)
        if errand.kind is None and nearest.fit < CLEAR_FIT:
            self._pending = errand.text, ()
            return "clarification", decide.nobody(errand.text, turn.helpers).question, False
        able = [one for one in self._specs if errand.kind in one.skills or (errand.kind is None and one.id == nearest.id)]
        spec = able[0]
        work = Work(
            "bench", "t1", 1, spec.id, errand.kind, errand.text, dict(errand.input), _NOW + timedelta(minutes=1), spec=spec
        )
        try:
            result = await build(spec, self._toolbox).run(work, cast("Effects", None), time.monotonic)
        except AgentFailed as error:
            if error.reason != _SPEAKS:
                return "error", "", False
            self._before = Before(errand.text, errand.kind, "")
            return "task", "", True
        value = result.output.get("value") if isinstance(result.output, dict) else None
        answer = told.said(result.output)
        self._before = Before(errand.text, errand.kind, answer, value if isinstance(value, str) else None)
        return "task", answer, False


async def played(scripts: Sequence[Script]) -> list[Turned]:
    """Return every turn with what was heard of it."""
    mind, specs, turned = Mind(), load(SPECS), list[Turned]()
    async with httpx.AsyncClient(trust_env=False) as http:
        encoders = Encoders(load_settings().cache / "encoder")
        toolbox = Toolbox(PROJECT, frozenset(), http, lambda _path: cast("Outcomes", None), encoders=encoders, clock=lambda: _NOW)
        for number, script in enumerate(scripts):
            talk = Talk(mind, specs, toolbox)
            for line in script.lines:
                began = time.monotonic()
                sort, text, speaks = await talk.turn(line.text)
                took_ms = (time.monotonic() - began) * 1000
                kind = {"clarification": "clarification", "error": "error"}.get(sort, "response")
                heard = Heard(kind, "task" if sort == "error" else sort, text, None, took_ms)
                turned.append(Turned(number, script.domain, _unspoken(line) if speaks else line, heard, 1))
    return turned


def _unspoken(line: Line) -> Line:
    """Return a turn whose answer a language model would say: nobody looks at what that holds."""
    return replace(line, holds=()) if line.wanted == "task" else line


def main() -> None:
    """Play, and print it."""
    parser = argparse.ArgumentParser(description="Scripted conversations, decided without a stack.")
    parser.add_argument("--half", choices=get_args(Half), default="unseen")
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given: Any = parser.parse_args()
    began = time.monotonic()
    turns = asyncio.run(played(rounds(given.turns, given.seed, given.half, given.turns)))
    course = scored(turns, given.half, 1, given.seed, time.monotonic() - began)
    show(course)


if __name__ == "__main__":
    main()
