"""Turn one text into one unit vector with a small ONNX model; what the others are is in `learning.encoders`.

Every text is encoded alone: the int8 graph scales its activations per call, so a vector would depend on its batch.
Empty text gives the vector of the empty sentence; of a long text the first 8,192 characters and 128 tokens count;
lone surrogates count as U+FFFD. Nothing here opens a socket.
"""

import hashlib
import json
from pathlib import Path
from typing import TypedDict

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # the wheel has no annotations
from tokenizers import Tokenizer

from learning.encoding import (
    MAX_TOKENS,
    MINILM,
    WIDTH,
    EncoderMismatch,
    EncoderMissing,
    Vector,
    file_sha256,
    open_tokenizer,
)
from learning.text import readable

RECIPE = 2  # which graph `encoder_build` writes; another number is built anew
GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE = "encoder.int8.onnx", "tokenizer.json", "manifest.json"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Fused, residual and norm took 0.38 ms each (110 tokens, onnxruntime 1.32); apart they take 0.1 ms.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


class Manifest(TypedDict):
    """What an encoder's folder says about itself."""

    name: str
    recipe: int
    source: str
    weights_sha256: str
    tokenizer_sha256: str
    graph_sha256: str
    max_tokens: int
    opset: int
    versions: dict[str, str]


def built_by(folder: Path) -> int:
    """Return the recipe that an encoder's folder was built by; 0 where there is none, or one that does not say so."""
    try:
        return int(json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8")).get("recipe", 0))
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return 0


def read_manifest(folder: Path) -> Manifest:
    """Read an encoder's manifest and check every file it names.

    Raises `EncoderMissing` where there is none, `EncoderMismatch` where a file is not the one named.
    """
    try:
        manifest: Manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        named = ((GRAPH_FILE, manifest["graph_sha256"]), (TOKENIZER_FILE, manifest["tokenizer_sha256"]))
        found = {name: file_sha256(folder / name) for name, _ in named}
    except FileNotFoundError as cause:
        raise EncoderMissing(f"no encoder in {folder}: {Path(cause.filename).name} is missing") from cause
    except (ValueError, KeyError, TypeError) as cause:
        raise EncoderMismatch(f"the encoder's manifest in {folder} cannot be read; delete the folder") from cause
    if manifest["weights_sha256"] != WEIGHTS_SHA256:
        raise EncoderMismatch(f"the encoder in {folder} was built from other weights; delete the folder to build it anew")
    if manifest.get("recipe") != RECIPE:
        raise EncoderMismatch(f"the encoder in {folder} was built by another release; delete the folder to build it anew")
    for name, wanted in named:
        if found[name] != wanted:
            raise EncoderMismatch(f"{name} in {folder} is not what its manifest names; delete the folder to build it anew")
    return manifest


def open_session(graph: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX graph on one thread (two were slower; processes carry the load)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS)


class Encoder:
    """all-MiniLM-L6-v2 on onnxruntime: float32 unit vectors of 384 numbers.

    Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2; built by `learning.encoder_build`.
    """

    name = MINILM
    width = WIDTH
    quick = False

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, digest: str) -> None:
        self.digest = digest
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """Open the encoder built in `folder`; raises `EncoderMissing` or `EncoderMismatch`."""
        manifest = read_manifest(folder)
        parts = (manifest["graph_sha256"], manifest["tokenizer_sha256"], str(MAX_TOKENS))
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return cls(open_session(folder / GRAPH_FILE), open_tokenizer(folder / TOKENIZER_FILE), digest)

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text."""
        tokens = self._tokenizer.encode(readable(text))
        vector: Vector = self._session.run(None, {"input_ids": np.array([tokens.ids], dtype=np.int64)})[0][0]
        return vector
