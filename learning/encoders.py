"""The encoders there are, by the name that settings give them."""

from pathlib import Path
from typing import Literal

from learning.encoding import HASHED, MINILM, STATIC, TextEncoder
from learning.features import ContextMap

Kind = Literal["static", "minilm", "hashed"]
NAMES: dict[Kind, str] = {"static": STATIC, "minilm": MINILM, "hashed": HASHED}


def open_encoder(kind: Kind, built: Path) -> TextEncoder:
    """Open an encoder; `built` is where the sentence encoder lies. Each is imported only where it is used.

    Raises:
        EncoderError: it was not built, or its files are not the ones that were built or shipped.
    """
    match kind:
        case "static":
            from learning.static import StaticEncoder

            return StaticEncoder.load()
        case "minilm":
            from learning.encoder import Encoder

            return Encoder.load(built)
        case "hashed":
            from learning.hashed import HashedEncoder

            return HashedEncoder()


def context_map(kind: Kind) -> ContextMap:
    """Open the map that was fitted for an encoder; raises `ContextMapUnreadable`."""
    return ContextMap.load(NAMES[kind])


def context_maps() -> dict[str, ContextMap]:
    """Open every map there is, by digest: what is recorded may have been made with another encoder than today's."""
    maps = (ContextMap.load(name) for name in NAMES.values())
    return {one.digest: one for one in maps}
