"""Distil the static encoder from the sentence encoder, in closed form; no score is read, nothing is drawn at random.

Run: python -m bench.distil --source FOLDER --encoder FOLDER [--cache FOLDER] [--target FOLDER]
Each token's vector is what the float network makes of the token alone. A ridge regression maps the mean of a text's vectors to
what the sentence encoder makes of the whole text, on the prompts that also fit the context maps (the demo's are left out).
"""

import argparse
import hashlib
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.fit_projection import embed, prompts_to_fit
from learning.encoder import TOKENIZER_FILE, Encoder, open_session
from learning.encoder_build import build_float_graph, find_weights
from learning.encoding import MINILM, STATIC, WIDTH, file_sha256, open_tokenizer
from learning.features import from_half
from learning.static import ARTEFACTS, MANIFEST_FILE, TABLE_FILE, Pieces
from learning.static import TOKENIZER_FILE as SHIPPED_TOKENIZER

RANK = 128
STRENGTH = 3.0  # of the ridge, the inputs having a mean squared norm of 1
START, END = 101, 102  # the model's own marks around a text

Array = NDArray[np.float64]


def token_vectors(vocabulary: int, cache: Path | None) -> Array:
    """Return what the float network makes of each token alone, shape (vocabulary, WIDTH); minutes, unless it is remembered."""
    kept = cache / "tokens.npy" if cache else None
    if kept and kept.exists():
        return np.asarray(np.load(kept), dtype=np.float64)
    with tempfile.TemporaryDirectory() as workshop:
        graph = Path(workshop, "float.onnx")
        build_float_graph(find_weights(), graph)
        session = open_session(graph)
        feeds = ({"input_ids": np.array([[START, token, END]], dtype=np.int64)} for token in range(vocabulary))
        rows = np.array([session.run(None, feed)[0][0] for feed in feeds])
    if kept:
        np.save(kept, rows)
    return rows.astype(np.float64)


def means(ids: Sequence[Sequence[int]], vectors: Array) -> Array:
    """Return the mean vector of each text that has a token, shape (texts, WIDTH); of one that has none, zeros."""
    return np.array([vectors[list(one)].mean(axis=0) if one else np.zeros(vectors.shape[1]) for one in ids])


def mapped(vectors: Array, ids: Sequence[Sequence[int]], targets: Array) -> Array:
    """Return token vectors whose means come nearest to the targets: a ridge regression with an intercept."""
    inputs = means(ids, vectors)
    centre = inputs.mean(axis=0)
    size = np.sqrt(np.square(inputs - centre).sum(axis=1).mean())
    rows = np.column_stack([(inputs - centre) / size, np.ones(len(inputs))])
    weights = np.linalg.solve(rows.T @ rows + STRENGTH * np.eye(rows.shape[1]), rows.T @ targets)
    moved: Array = (vectors - centre) / size @ weights[:-1] + weights[-1]  # of a mean of rows, weights sum to one: so does this
    return moved


def packed(vectors: Array, ids: Sequence[Sequence[int]]) -> dict[str, NDArray[np.generic]]:
    """Return the table: rows on the leading axes of what occurs in texts, each rounded to 255 steps of its own size."""
    counts = 1 + np.bincount(np.concatenate([np.array(one, dtype=np.int64) for one in ids]), minlength=len(vectors))
    axes = np.linalg.svd(vectors * np.sqrt(counts)[:, None], full_matrices=False)[2][:RANK]
    rows = vectors @ axes.T
    scales = np.maximum(np.abs(rows).max(axis=1), 1e-9) / 127
    return {
        "rows": np.rint(rows / scales[:, None]).astype(np.int8),
        "scales": scales.astype(np.float32),
        "axes": axes.astype(np.float32),
    }


def store(table: dict[str, NDArray[np.generic]], tokenizer: Path, texts: int, target: Path) -> str:
    """Write table, tokenizer and manifest; return the table's sha256."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **table)
    (target / TABLE_FILE).write_bytes(content.getvalue())
    (target / SHIPPED_TOKENIZER).write_bytes(tokenizer.read_bytes())
    manifest = {
        "name": STATIC,
        "distilled_from": MINILM,
        "licence": "Apache-2.0, as all-MiniLM-L6-v2 by sentence-transformers, whose token vectors these are made of",
        "table_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "tokenizer_sha256": file_sha256(tokenizer),
        "rank": RANK,
        "fitted_on": f"{texts} prompts, without scores",
        "numpy": np.__version__,
    }
    (target / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return str(manifest["table_sha256"])


def main() -> None:
    """Fit and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the full routing data")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the built sentence encoder")
    parser.add_argument("--cache", type=Path, help="folder that remembers vectors between runs")
    parser.add_argument("--target", type=Path, default=ARTEFACTS)
    options = parser.parse_args()
    texts = prompts_to_fit(options.source, Path(__file__).parent / "data")
    tokenizer = open_tokenizer(options.encoder / TOKENIZER_FILE)
    targets = np.array([from_half(one, WIDTH) for one in embed(texts, Encoder.load(options.encoder), options.cache)])
    pieces = Pieces(tokenizer)
    ids = [pieces.read(text) for text in texts]
    vectors = mapped(token_vectors(tokenizer.get_vocab_size(), options.cache), ids, targets)
    print(store(packed(vectors, ids), options.encoder / TOKENIZER_FILE, len(texts), options.target), flush=True)


if __name__ == "__main__":
    main()
