"""What every encoder of texts offers, whichever is used; nothing here opens a model."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from learning.errors import LearningError

STATIC, MINILM, HASHED = "static-minilm-1", "minilm-int8-128", "hashed-words-1"  # as facts name them
WIDTH = 384
MAX_TOKENS = 128

Vector = NDArray[np.float32]


class EncoderError(LearningError):
    """The encoder cannot be used."""


class EncoderMissing(EncoderError):
    """No encoder has been built where one was expected, or its weights are not installed."""


class EncoderMismatch(EncoderError):
    """A file of the encoder is not the one its manifest names."""


class TextEncoder(Protocol):
    """What every encoder offers; safe to call from several threads."""

    @property
    def name(self) -> str:
        """Which method, to be read by people."""
        ...

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        ...

    @property
    def quick(self) -> bool:
        """Whether a text takes less than a millisecond, so that nobody needs a thread for it."""
        ...

    @property
    def digest(self) -> str:
        """Names everything that a vector depends on, as hexadecimal sha256."""
        ...

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text: float32, shape (width,)."""
        ...


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_tokenizer(path: Path) -> Tokenizer:
    """Open the model's tokenizer without the padding that its file has baked in."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
