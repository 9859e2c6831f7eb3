"""Read a text: its language and the features that policies see, or its sentiment. Slow (milliseconds), safe in a thread."""

from functools import cached_property
from typing import Protocol

from events.task import Features, Sentiment
from learning.encoding import TextEncoder
from learning.features import extract, features_version
from learning.sentiment import MOST_COMMENT_CHARS, Vader
from streams.admission import Reading

QUICK_CHARS = 2_000  # of a text that a quick encoder reads in a millisecond or two, language and surface with it


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

    def quick(self, text: str) -> bool:
        """Return whether reading a text takes so little that it needs no thread."""
        return self._encoder.quick and len(text) <= QUICK_CHARS

    def read(self, text: str) -> Reading:
        """Return language and features."""
        embedding, surface = extract(text, self._encoder)
        return Reading(self._tagger.tag(text), Features(self._version, embedding, surface))


class CommentReader:
    """Reads the sentiment of comments; the lexicon is opened for the first of them, since it takes half a second."""

    @cached_property
    def _vader(self) -> Vader:
        return Vader()

    def feel(self, comment: str) -> Sentiment | None:
        """Return what a comment sounds like; None for one without words, in another language, or too long to be read."""
        if len(comment) > MOST_COMMENT_CHARS:
            return None
        compound = self._vader.read(comment).compound
        return None if compound is None else Sentiment(self._vader.model, compound)
