"""From a text to its recorded raw features, and from those to the context that policies see.

Raw features go into facts as float16 and never change; the map from them to a context is a shipped artefact named by its
digest, fitted once on public prompts without any score (`bench/fit_projection.py`) and never refitted in place.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from events.task import Features
from learning.encoding import TextEncoder
from learning.errors import LearningError
from learning.surface import SURFACE_NAMES, SURFACE_VERSION, SURFACE_WIDTH, surface

MAP_VERSION = 1
ARTEFACTS = Path(__file__).parent / "artefacts"
NAMED_LIMIT = 4.0  # standard deviations
NORM_LIMIT = 2.0  # the mean squared norm over the fitted prompts is 1

Array = NDArray[np.float64]


class FeatureError(LearningError):
    """Features cannot be used."""


class FeaturesMismatch(FeatureError):
    """Recorded features are not as long as the map wants them."""


class ContextMapUnreadable(FeatureError):
    """A context map is missing, or is not the one its manifest names."""


def to_half(values: NDArray[np.floating]) -> bytes:
    """Return the numbers as float16, little-endian: the form in which facts keep them."""
    return values.astype("<f2").tobytes()


def from_half(stored: bytes, width: int) -> Array:
    """Return `width` numbers kept by `to_half` as float64; raises `FeaturesMismatch` for any other length."""
    if len(stored) != 2 * width:
        raise FeaturesMismatch(f"{len(stored)} bytes of features where {width} float16 numbers were expected")
    return np.frombuffer(stored, dtype="<f2").astype(np.float64)


def extract(text: str, encoder: TextEncoder) -> tuple[bytes, bytes]:
    """Return the raw features of any text as float16: its embedding (384) and its surface (`SURFACE_WIDTH`)."""
    return to_half(encoder.encode(text)), to_half(surface(text))


def features_version(encoder: TextEncoder) -> str:
    """Name what raw features were made by, for example "minilm-int8-128:0c7e1a2b+surface/1"."""
    return f"{encoder.name}:{encoder.digest[:8]}+surface/{SURFACE_VERSION}"


def reader(encoder: TextEncoder) -> Callable[[str], Features]:
    """Return what reads a text's features as facts keep them."""
    version = features_version(encoder)
    return lambda text: Features(version, *extract(text, encoder))


def unit_rows(rows: Array) -> Array:
    """Scale every row to length one; a row of zeros stays."""
    lengths = np.sqrt(np.sum(rows * rows, axis=-1, keepdims=True))
    return rows / np.where(lengths == 0.0, 1.0, lengths)


def spread(embedding: Array, form: Array, scales: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Return the three parts of raw features as the projections want them; one row or many.

    `scales` holds `named_mean` and `named_deviation` of the named numbers and `pattern_weight` of the hashed ones.
    """
    named, pattern = np.split(form, [len(SURFACE_NAMES)], axis=-1)
    standard = (named - scales["named_mean"]) / scales["named_deviation"]
    return embedding, np.clip(standard, -NAMED_LIMIT, NAMED_LIMIT), unit_rows(pattern * scales["pattern_weight"])


@dataclass(frozen=True)
class ContextMap:
    """A fixed map from raw features to a policy's context: a principal-component projection of each part, and a bias.

    `digest` is the sha256 of the artefact; equal digests give equal contexts.
    """

    digest: str
    arrays: Mapping[str, Array]

    @classmethod
    def load(cls, encoder_name: str, folder: Path = ARTEFACTS) -> "ContextMap":
        """Open the map fitted for an encoder; raises `ContextMapUnreadable`."""
        stem = map_stem(encoder_name)
        try:
            content = (folder / f"{stem}.npz").read_bytes()
            wanted = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError) as cause:
            raise ContextMapUnreadable(f"no context map for the encoder {encoder_name} in {folder}") from cause
        if (digest := hashlib.sha256(content).hexdigest()) != wanted:
            raise ContextMapUnreadable(f"{stem}.npz has sha256 {digest}, its manifest names {wanted}")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return cls(digest, {name: stored[name].astype(np.float64) for name in stored.files})

    @property
    def width(self) -> int:
        """How many numbers a context has, the bias included."""
        return sum(len(self.arrays[f"{part}_axes"]) for part in ("embedding", "named", "pattern")) + 1

    def apply(self, embedding: bytes, form: bytes) -> Array:
        """Return the context: float64, shape (width,), the bias 1 last, the rest of norm at most `NORM_LIMIT`.

        Raises `FeaturesMismatch` for features of another length.
        """
        width = self.arrays["embedding_axes"].shape[1]
        parts = spread(from_half(embedding, width), from_half(form, SURFACE_WIDTH), self.arrays)
        values = project(parts, self.arrays)
        length = float(np.sqrt(np.sum(values * values)))
        context = np.append(values * min(1.0, NORM_LIMIT / length) if length else values, 1.0)
        context.setflags(write=False)  # whoever remembers it gives it to several
        return context


def project(parts: tuple[Array, Array, Array], arrays: Mapping[str, Array]) -> Array:
    """Return the joined projections of the three parts, each centred first; one row or many.

    No BLAS: a recomputed context must be the same to the last bit, whatever library and thread count.
    """
    names = ("embedding", "named", "pattern")
    pieces = [
        np.einsum("...j,ij->...i", part - arrays[f"{name}_centre"], arrays[f"{name}_axes"])
        for name, part in zip(names, parts, strict=True)
    ]
    return np.concatenate(pieces, axis=-1)


def map_stem(encoder_name: str) -> str:
    """Return the file name, without its ending, of the map for an encoder."""
    return f"context_map_{encoder_name}_v{MAP_VERSION}"
