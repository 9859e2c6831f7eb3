"""Read a text: its language and the features that policies see. Slow (milliseconds), pure, safe to call in a thread."""

from typing import Protocol

from events.task import Features
from learning.encoding import TextEncoder
from learning.features import extract, features_version
from streams.admission import Reading


class Tagger(Protocol):
    """Says in which language a text is."""

    def tag(self, text: str) -> str:
        """Return an ISO 639-1 code, or `und`."""
        ...


class TextReader:
    """Reads texts with one encoder and one tagger."""

    def __init__(self, encoder: TextEncoder, tagger: Tagger) -> None:
        self._encoder, self._tagger = encoder, tagger
        self._version = features_version(encoder)

    def read(self, text: str) -> Reading:
        """Return language and features."""
        embedding, surface = extract(text, self._encoder)
        return Reading(self._tagger.tag(text), Features(self._version, embedding, surface))
