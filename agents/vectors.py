"""Encoders by kind, opened once in a process, and the label by which their vectors are told apart."""

import asyncio
from pathlib import Path

from events.knowledge import EncoderKind
from learning.encoding import TextEncoder, Vector

_DIGITS = 12


class Labelled:
    """An encoder with the label of its vectors."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.label = f"{encoder.name}:{encoder.digest[:_DIGITS]}"

    def encode(self, text: str) -> Vector:
        """Return the unit vector of a text: float32, 384 numbers."""
        return self._encoder.encode(text)


class Encoders:
    """Opens each encoder when it is first asked for; `built` is where the sentence encoder lies, or is built."""

    def __init__(self, built: Path) -> None:
        self._built = built
        self._opening = asyncio.Lock()
        self._open: dict[EncoderKind, Labelled] = {}

    async def get(self, kind: EncoderKind) -> Labelled:
        """Return an encoder.

        Raises:
            EncoderError: it cannot be built, or its files are not the ones that were built or shipped.
        """
        async with self._opening:
            if kind not in self._open:
                self._open[kind] = await asyncio.to_thread(open_labelled, kind, self._built)
            return self._open[kind]


def open_labelled(kind: EncoderKind, built: Path) -> Labelled:
    """Open an encoder, and build the sentence encoder where there is none; raises EncoderError."""
    from learning.encoders import open_encoder

    if kind == "minilm":
        from learning.encoder_build import ensure_encoder  # what builds graphs takes a second to import

        ensure_encoder(built)
    return Labelled(open_encoder(kind, built))
