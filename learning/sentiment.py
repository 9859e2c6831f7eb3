"""Sentiment of short English texts by VADER, a lexicon with rules.

Source: Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis", ICWSM 2014. The thresholds
of the three labels (a compound score of 0.05 either way) are the authors'.
"""

import re
from importlib.metadata import version
from typing import Literal

from msgspec import Struct
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from learning.language import UNKNOWN, LanguageTagger

MODEL = "vaderSentiment"
NEUTRAL = 0.05
MOST_COMMENT_CHARS = 2_000  # whoever reads comments reads tasks, too, and those wait meanwhile
_WORD = re.compile(r"[^\W\d_]+")


class Read(Struct, frozen=True):
    """What a text sounds like, -1 to 1, or the flag that says why that is not known."""

    compound: float | None
    language: str
    flag: Literal["empty", "unsupported_language"] | None = None


class Vader:
    """Reads texts; an empty one and one in another language are flagged, never guessed."""

    def __init__(self) -> None:
        self.model = f"{MODEL}/{version(MODEL)}"
        self._analyzer = SentimentIntensityAnalyzer()
        self._tagger = LanguageTagger.load()

    def read(self, text: str) -> Read:
        """Return the compound score; its time grows with the square of the words."""
        return self.unreadable(text) or Read(float(self._analyzer.polarity_scores(text)["compound"]), "en")

    def unreadable(self, text: str) -> Read | None:
        """Return the flag of a text that cannot be read; None: it can."""
        found = _WORD.findall(text)
        if not found:
            return Read(None, UNKNOWN, "empty")
        language = self._tagger.tag(text)
        if language not in ("en", UNKNOWN) and not self._knows(found):
            return Read(None, language, "unsupported_language")
        return None

    def scores(self, text: str) -> tuple[float, float, float, float]:
        """Return compound score (-1 to 1) and the shares that are positive, negative and neutral."""
        told = self._analyzer.polarity_scores(text)
        return tuple(float(told[name]) for name in ("compound", "pos", "neg", "neu"))  # type: ignore[return-value]  # four

    def _knows(self, found: list[str]) -> bool:
        """Say whether one or two words, too few to tell a language by, are in the lexicon."""
        known = sum(word.lower() in self._analyzer.lexicon for word in found)
        return len(found) <= 2 and 2 * known >= len(found)
