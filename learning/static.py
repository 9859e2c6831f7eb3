"""A table of token vectors instead of a network: for choosing as good as the sentence encoder, at a small part of its time.

Distilled from all-MiniLM-L6-v2 (Apache-2.0) by `bench.distil`: what the network makes of each token alone, mapped so that the
means come near to what it makes of whole texts. It knows no order of words, so it is weaker at paraphrases and negations.
Idea: Tulkens and van Dongen, "Model2Vec", 2024, https://github.com/MinishLab/model2vec; measured in docs/decisions/024.
"""

import hashlib
import io
import json
import re
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from learning.encoding import MAX_TOKENS, STATIC, WIDTH, EncoderMismatch, EncoderMissing, Vector, file_sha256, open_tokenizer
from learning.text import readable

ARTEFACTS = Path(__file__).parent / "artefacts"
TABLE_FILE, TOKENIZER_FILE, MANIFEST_FILE = f"{STATIC}.npz", f"{STATIC}.tokenizer.json", f"{STATIC}.json"
_WORD = re.compile(r"\w+|[^\w\s]")
_REMEMBERED = 50_000  # words: some megabytes


class Table(TypedDict):
    """One row per token, and the axes that rows are counted in."""

    rows: NDArray[np.int8]  # (tokens, rank)
    scales: NDArray[np.float32]  # (tokens,)
    axes: NDArray[np.float32]  # (rank, WIDTH)


class Pieces:
    """Reads the tokens of a text word by word, a word being a run of letters and digits, or one sign: most words come again."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._of_word = lru_cache(_REMEMBERED)(self._read)

    def read(self, text: str) -> list[int]:
        """Return the first `MAX_TOKENS` tokens of any text."""
        words = _WORD.findall(readable(text).lower())
        return list(islice(chain.from_iterable(map(self._of_word, words)), MAX_TOKENS))

    def _read(self, word: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(word, add_special_tokens=False).ids)


class StaticEncoder:
    """Mean of token vectors: float32 unit vectors of 384 numbers in the space of the sentence encoder."""

    name = STATIC
    width = WIDTH
    quick = True

    def __init__(self, table: Table, tokenizer: Tokenizer, digest: str) -> None:
        self.digest = digest
        self._rows, self._scales, self._axes = table["rows"], table["scales"], table["axes"]
        self._pieces = Pieces(tokenizer)

    @classmethod
    def load(cls, folder: Path = ARTEFACTS) -> "StaticEncoder":
        """Open the table that is shipped; raises `EncoderMissing` or `EncoderMismatch`."""
        try:
            manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
            content = (folder / TABLE_FILE).read_bytes()
            found = {"table": hashlib.sha256(content).hexdigest(), "tokenizer": file_sha256(folder / TOKENIZER_FILE)}
        except FileNotFoundError as cause:
            raise EncoderMissing(f"no static encoder in {folder}: {Path(cause.filename).name} is missing") from cause
        for part, sha256 in found.items():
            if sha256 != manifest[f"{part}_sha256"]:
                raise EncoderMismatch(f"the {part} of the static encoder in {folder} is not what its manifest names")
        digest = hashlib.sha256("\n".join(found.values()).encode()).hexdigest()
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            table = Table(rows=stored["rows"], scales=stored["scales"], axes=stored["axes"])
        return cls(table, open_tokenizer(folder / TOKENIZER_FILE), digest)

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text; a text without a token gives the first axis.

        No BLAS: the same text gives the same bytes, whatever library and thread count.
        """
        ids = self._pieces.read(text)
        total = np.einsum("i,ij->j", self._scales[ids], self._rows[ids])
        vector: Vector = np.einsum("i,ij->j", total, self._axes)
        length = np.sqrt(np.einsum("i,i->", vector, vector))
        if length == 0.0:
            vector[0] = length = np.float32(1.0)
        vector /= length
        return vector
