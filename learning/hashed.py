"""Fold words and characters of a text into a vector by hashing: no weights, no training, the same bytes everywhere.

Source of the signed hashing: Weinberger et al., "Feature hashing for large scale multitask learning", arXiv:0902.2206.
"""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from learning.encoding import HASHED, WIDTH
from learning.text import readable


def signed_buckets(grams: Iterable[str], width: int) -> NDArray[np.float32]:
    """Return the unit vector of the grams, each counted as 1 + log(count) in the bucket and with the sign of its CRC-32.

    No gram at all gives the first axis. Shape (width,).
    """
    counts = Counter(grams)
    codes = np.fromiter((zlib.crc32(gram.encode()) for gram in counts), dtype=np.int64, count=len(counts))
    weights = 1 + np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))
    signed = np.where(codes >> 31, -weights, weights)
    vector = np.bincount((codes & 0x7FFFFFFF) % width, weights=signed, minlength=width)
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        vector[0] = length = 1.0
    return (vector / length).astype(np.float32)


def character_grams(text: str, sizes: Iterable[int]) -> Iterator[str]:
    """Yield every run of characters of each of the given sizes."""
    for size in sizes:
        yield from (text[at : at + size] for at in range(len(text) - size + 1))


def word_grams(text: str) -> Iterator[str]:
    """Yield words, pairs of neighbouring words, and the 3 to 5 characters inside each word."""
    words = re.findall(r"\w+", text)
    yield from words
    for first, second in pairwise(words):
        yield f"{first} {second}"
    for word in words:
        yield from character_grams(f"<{word}>", (3, 4, 5))


class HashedEncoder:
    """The encoder for tests and for where no weights are installed: hashed words, word pairs and characters."""

    name = HASHED
    width = WIDTH
    quick = True
    digest = hashlib.sha256(b"hashed-words-1: crc32, words 1-2, characters 3-5, 384 buckets").hexdigest()

    def encode(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of one text; text without a letter or digit gives the first axis."""
        return signed_buckets(word_grams(readable(text).lower()), self.width)
