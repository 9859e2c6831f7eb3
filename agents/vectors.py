"""Encoders by kind, opened once in a process, and the label by which their vectors are told apart."""

import asyncio
import threading
from pathlib import Path

from events.knowledge import EncoderKind
from learning.encoding import EncoderMissing, TextEncoder, Vector

_DIGITS = 12


class Labelled:
    """An encoder with the label of its vectors."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.label = f"{encoder.name}:{encoder.digest[:_DIGITS]}"

    def encode(self, text: str) -> Vector:
        """Return the unit vector of a text: float32, 384 numbers."""
        return self.encoder.encode(text)


class Encoders:
    """Opens each encoder when it is first asked for, once for all threads; a failure is tried again.

    `built` is where the sentence encoder lies, or is built (3 s, once on a machine); None: there is none here.
    """

    def __init__(self, built: Path | None = None) -> None:
        self._built = built
        self._opening = threading.Lock()
        self._open: dict[EncoderKind, Labelled] = {}

    def open(self, kind: EncoderKind) -> Labelled:
        """Return an encoder; what is not open yet may take seconds.

        Raises:
            EncoderError: it cannot be built, or its files are not the ones that were built or shipped.
        """
        with self._opening:
            if kind not in self._open:
                self._open[kind] = Labelled(_opened(kind, self._built))
            return self._open[kind]

    async def get(self, kind: EncoderKind) -> Labelled:
        """Return what `open` returns, without holding up the loop; raises what it raises."""
        return self._open[kind] if kind in self._open else await asyncio.to_thread(self.open, kind)


def _opened(kind: EncoderKind, built: Path | None) -> TextEncoder:
    """Open an encoder, and build the sentence encoder where there is none."""
    from learning.encoders import open_encoder

    if kind != "minilm":
        return open_encoder(kind, built or Path())
    if built is None:
        raise EncoderMissing("there is no sentence encoder here")
    from learning.encoder import RECIPE, built_by

    if built_by(built) != RECIPE:
        from learning.encoder_build import ensure_encoder  # what builds graphs takes a second to import

        ensure_encoder(built)
    return open_encoder(kind, built)
