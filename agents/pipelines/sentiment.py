"""Sentiment of short English texts, as `learning/sentiment.py` reads it."""

import asyncio
from typing import Any, ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from learning.sentiment import MODEL, NEUTRAL, Vader

MOST_CHARS = 5_000  # VADER's time grows with the square of the words: 26,000 characters took 4 s


class SentimentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Sentiment:
    """Labels a text positive, neutral or negative; an empty text or another language is flagged, never guessed."""

    name: ClassVar[str] = "sentiment"
    Settings: ClassVar[type[Struct]] = SentimentSettings

    def __init__(self, _settings: SentimentSettings, _toolbox: Toolbox) -> None:
        self._vader = Vader()

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Judge `input.text`, or the task's text where there is none.

        Raises:
            AgentFailed: the text is too long for VADER.
        """
        watch = Stopwatch(timer)
        given = work.input.get("text")
        text = given if isinstance(given, str) else work.text
        if len(text) > MOST_CHARS:
            raise AgentFailed("text_too_long", f"{len(text)} characters; VADER is for {MOST_CHARS} at most")
        with watch.step("score", model=MODEL):
            output = await asyncio.to_thread(self.judge, text)
        return Result(output, watch.steps)

    def judge(self, text: str) -> dict[str, Any]:
        """Return label and compound score, or a flag that says why there is none."""
        read = self._vader.read(text)
        named = None if read.compound is None else label(read.compound)
        return {"label": named, "compound": read.compound, "language": read.language, "flag": read.flag}


def label(compound: float) -> str:
    """Return the label of a compound score in [-1, 1]."""
    if compound >= NEUTRAL:
        return "positive"
    return "negative" if compound <= -NEUTRAL else "neutral"
