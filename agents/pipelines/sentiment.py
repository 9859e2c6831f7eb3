"""Sentiment of short English texts by VADER, a lexicon with rules.

Source: Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis", ICWSM 2014. The thresholds
of the three labels (a compound score of 0.05 either way) are the authors'.
"""

import asyncio
import re
from typing import Any, ClassVar

from msgspec import Struct
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from learning.language import UNKNOWN, LanguageTagger

MODEL = "vaderSentiment"
THRESHOLD = 0.05
MOST_CHARS = 5_000  # VADER's time grows with the square of the words: 26,000 characters took 4 s
_WORD = re.compile(r"[^\W\d_]+")


class SentimentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Sentiment:
    """Labels a text positive, neutral or negative; an empty text or another language is flagged, never guessed."""

    name: ClassVar[str] = "sentiment"
    Settings: ClassVar[type[Struct]] = SentimentSettings

    def __init__(self, _settings: SentimentSettings, _toolbox: Toolbox) -> None:
        self._analyzer = SentimentIntensityAnalyzer()
        self._tagger = LanguageTagger.load()

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
        words = _WORD.findall(text)
        if not words:
            return {"label": None, "compound": None, "language": UNKNOWN, "flag": "empty"}
        language = self._tagger.tag(text)
        if language not in ("en", UNKNOWN) and not self._reads(words):
            return {"label": None, "compound": None, "language": language, "flag": "unsupported_language"}
        compound = float(self._analyzer.polarity_scores(text)["compound"])
        return {"label": label(compound), "compound": compound, "language": "en", "flag": None}

    def _reads(self, words: list[str]) -> bool:
        """Say whether one or two words, too few to tell a language by, are in the lexicon."""
        known = sum(word.lower() in self._analyzer.lexicon for word in words)
        return len(words) <= 2 and 2 * known >= len(words)


def label(compound: float) -> str:
    """Return the label of a compound score in [-1, 1]."""
    if compound >= THRESHOLD:
        return "positive"
    return "negative" if compound <= -THRESHOLD else "neutral"
