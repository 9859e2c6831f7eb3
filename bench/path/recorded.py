"""Recorded features: texts are read once before the run, so that nothing is encoded in it; the encoder is timed on the way."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from learning.encoding import TextEncoder, Vector
from learning.errors import LearningError
from learning.language import LanguageTagger
from streams.admission import Reading
from streams.reading import TextReader


class TextNotRecorded(LearningError):
    """A text turned up in a run with recorded features that was not read before it."""


class Recording(Struct, frozen=True):
    """What was read: readings by the sha256 of their texts, and how many texts the encoder does in a second of a core."""

    readings: dict[str, Reading]
    texts_per_s: float


class Recorded:
    """Reads texts by looking up what was read of them before."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings

    @classmethod
    def load(cls, path: Path) -> "Recorded":
        """Open what `store` wrote."""
        return cls(msgspec.msgpack.decode(path.read_bytes(), type=dict[str, Reading]))

    def quick(self, text: str) -> bool:  # noqa: ARG002 one member of a protocol
        """Return that looking up takes no time, whatever the text."""
        return True

    def read(self, text: str) -> Reading:
        """Return what was read of a text; raises TextNotRecorded."""
        found = self._readings.get(_name(text))
        if found is None:
            raise TextNotRecorded(f"no features were recorded of a text of {len(text)} characters")
        return found


class Timed:
    """An encoder that knows how much processor time it took."""

    def __init__(self, inner: TextEncoder) -> None:
        self.name, self.width, self.quick, self.digest = inner.name, inner.width, inner.quick, inner.digest
        self._inner = inner
        self.seconds, self.texts = 0.0, 0

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text."""
        began = time.process_time()
        vector = self._inner.encode(text)
        self.seconds += time.process_time() - began
        self.texts += 1
        return vector


def record(texts: Iterable[str], encoder: TextEncoder) -> Recording:
    """Read texts, each once; the first does not count into the speed, as it warms the encoder up."""
    timed = Timed(encoder)
    reader = TextReader(timed, LanguageTagger.load())
    readings: dict[str, Reading] = {}
    for text in dict.fromkeys(texts):
        readings[_name(text)] = reader.read(text)
        if timed.texts == 1:
            timed.seconds = 0.0
    return Recording(readings, (timed.texts - 1) / timed.seconds)


def store(recording: Recording, path: Path) -> None:
    """Write the readings where the processes of a run find them."""
    path.write_bytes(msgspec.msgpack.encode(recording.readings))


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
