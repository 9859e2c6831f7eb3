"""Polarity of customer feedback: a head on the sentence encoder's vector and the four scores of VADER's lexicon."""

import numpy as np

from learning.encoding import MINILM, TextEncoder, Vector
from learning.head import Head, load
from learning.once import once
from learning.sentiment import Vader

NAME = "polarity"
ENCODER = f"{MINILM}+vader"
LABELS = ("negative", "neutral", "positive")


class Polarity:
    """Judges texts; what it is not sure enough of has no label."""

    def __init__(self, head: Head, encoder: TextEncoder, lexicon: Vader) -> None:
        self._head, self._encoder, self._lexicon = head, encoder, lexicon

    @classmethod
    def open(cls, encoder: TextEncoder) -> "Polarity":
        """Return what judges with this encoder; raises ArtefactError."""
        return cls(_head(), encoder, lexicon())

    @property
    def model(self) -> str:
        """Return what judges, with its version."""
        return self._head.model

    def chances(self, text: str) -> dict[str, float]:
        """Return the chance of each label."""
        return self._head.chances(features(text, self._encoder, self._lexicon))

    def label(self, chances: dict[str, float]) -> str | None:
        """Return the label; None: unsure."""
        return self._head.choice(chances)

    def sure(self, confidence: float) -> bool:
        """Return whether a label of this confidence is told."""
        return confidence >= self._head.manifest.least


def features(text: str, encoder: TextEncoder, words: Vader) -> Vector:
    """Return what the head sees of a text: float32 of shape (encoder's width + 4,)."""
    return np.concatenate([encoder.encode(text), np.array(words.scores(text), dtype=np.float32)])


lexicon = once(Vader)
_head = once(lambda: load(NAME))
