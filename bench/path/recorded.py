"""Recorded features: texts are read once before the run, so that nothing is encoded in it; the encoder is timed on the way."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from msgspec import Struct

from learning.encoding import TextEncoder, Vector
from learning.errors import LearningError
from learning.language import LanguageTagger
from streams.admission import Reading
from streams.intake import READERS
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
    """An encoder that knows how much processor time each text took."""

    def __init__(self, inner: TextEncoder) -> None:
        self.name, self.width, self.quick, self.digest = inner.name, inner.width, inner.quick, inner.digest
        self._inner = inner
        self.seconds: list[float] = []

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text."""
        began = time.thread_time()
        vector = self._inner.encode(text)
        self.seconds.append(time.thread_time() - began)
        return vector


def record(texts: Iterable[str], encoder: TextEncoder) -> Recording:
    """Read texts, each once, in as many threads as intake does; the first warms the encoder up and is not timed."""
    timed = Timed(encoder)
    reader = TextReader(timed, LanguageTagger.load())
    first, *others = dict.fromkeys(texts)
    readings = {_name(first): reader.read(first)}
    timed.seconds.clear()
    with ThreadPoolExecutor(threads_of(encoder)) as pool:
        readings |= zip(map(_name, others), pool.map(reader.read, others), strict=True)
    return Recording(readings, len(timed.seconds) / sum(timed.seconds))


def threads_of(encoder: TextEncoder) -> int:
    """Return how many threads intake reads texts in; where that is quick, it has none for it."""
    return 1 if encoder.quick else READERS


def store(recording: Recording, path: Path) -> None:
    """Write the readings where the processes of a run find them."""
    path.write_bytes(msgspec.msgpack.encode(recording.readings))


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
