"""Fit the context maps: principal components of the raw features of public prompts; no score is read.

Run: python -m bench.fit_projection --source FOLDER --encoder FOLDER [--cache FOLDER]
The 2,000 questions of the demo (and whatever repeats their text) are left out of the fit. Nothing is drawn at random.
"""

import argparse
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.make_sample import SAMPLE_SET, read_rows
from learning.encoder import Encoder
from learning.encoding import TextEncoder
from learning.features import ARTEFACTS, MAP_VERSION, from_half, map_stem, project, spread, to_half
from learning.hashed import HashedEncoder
from learning.static import StaticEncoder
from learning.surface import SURFACE_NAMES, SURFACE_VERSION, SURFACE_WIDTH, surface

SETS = ("llmrouter", "mmlupro")
AXES = {"embedding": 24, "named": 16, "pattern": 24}
LEAST_WEIGHT = 0.02  # a bucket that every text fills says nearly nothing

Array = NDArray[np.float64]


def normal(text: str) -> str:
    """Return the text as it is compared with others: small letters, single spaces."""
    return " ".join(text.lower().split())


def read_prompts(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the prompts of the named sets in their order."""
    return [row[2] for name in names for row in list(read_rows(folder / f"{name}.prompts.csv.gz"))[1:]]


def prompts_to_fit(source: Path, sample: Path) -> list[str]:
    """Return every prompt of both sets whose text is not in the demo's sample."""
    barred = {normal(text) for text in read_prompts(sample, [SAMPLE_SET])}
    return [text for text in read_prompts(source, SETS) if normal(text) not in barred]


def embed(texts: list[str], encoder: TextEncoder, cache: Path | None) -> list[bytes]:
    """Return the embeddings as facts keep them; `cache` remembers them by text and encoder (minutes for 10,000 texts)."""
    names = hashlib.sha256("\0".join((encoder.digest, *texts)).encode()).hexdigest()
    kept = cache / f"{names[:32]}.f2" if cache else None
    if kept and kept.exists():
        rows = np.frombuffer(kept.read_bytes(), dtype="<f2").reshape(len(texts), encoder.width)
        return [row.tobytes() for row in rows]
    stored = [to_half(encoder.encode(text)) for text in texts]
    if kept:
        kept.write_bytes(b"".join(stored))
    return stored


def raw_features(texts: list[str], encoder: TextEncoder, cache: Path | None = None) -> tuple[Array, Array]:
    """Return embeddings and surfaces, one row a text, rounded as facts keep them."""
    embeddings = [from_half(stored, encoder.width) for stored in embed(texts, encoder, cache)]
    return np.array(embeddings), np.array([from_half(to_half(surface(text)), SURFACE_WIDTH) for text in texts])


def fit_scales(forms: Array) -> dict[str, Array]:
    """Measure the spread of the named numbers, and how rarely each bucket of the pattern is filled."""
    named, pattern = np.split(forms, [len(SURFACE_NAMES)], axis=1)
    filled = (1 + len(forms)) / (1 + np.count_nonzero(pattern, axis=0))
    return {
        "named_mean": named.mean(axis=0),
        "named_deviation": np.maximum(named.std(axis=0), 1e-6),
        "pattern_weight": np.maximum(np.log(filled), LEAST_WEIGHT),
    }


def principal_axes(rows: Array, count: int) -> Array:
    """Return the first principal axes of centred rows, scaled so that the projections have a mean squared norm of 1."""
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    axes = vectors[:, np.argsort(-values)[:count]].T
    axes *= np.sign(axes[np.arange(count), np.abs(axes).argmax(axis=1)])[:, None]  # eigh leaves the sign open
    scaled: Array = axes / np.sqrt(np.square(rows @ axes.T).sum(axis=1).mean())
    return scaled


def fit(embeddings: Array, forms: Array, counts: dict[str, int]) -> dict[str, Array]:
    """Return the arrays of a context map, rounded to float32; together the parts have a mean squared norm of 1."""
    arrays = {name: values.astype(np.float32).astype(np.float64) for name, values in fit_scales(forms).items()}
    for (name, count), part in zip(counts.items(), spread(embeddings, forms, arrays), strict=True):
        arrays[f"{name}_centre"] = part.mean(axis=0)
        arrays[f"{name}_axes"] = principal_axes(part - part.mean(axis=0), count) / np.sqrt(len(counts))
    return {name: values.astype(np.float32).astype(np.float64) for name, values in arrays.items()}


def store(arrays: dict[str, Array], encoder: TextEncoder, fitted_on: int, target: Path) -> str:
    """Write the artefact and its manifest; return its sha256."""
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **{name: values.astype(np.float32) for name, values in arrays.items()})
    manifest = {
        "sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
        "encoder": encoder.name,
        "encoder_digest": encoder.digest,
        "surface_version": SURFACE_VERSION,
        "map_version": MAP_VERSION,
        "axes": AXES,
        "fitted_on": f"{fitted_on} prompts of {' and '.join(SETS)}, without scores",
        "left_out": f"prompts whose text is in bench/data/{SAMPLE_SET}.prompts.csv.gz",
        "numpy": np.__version__,
    }
    stem = map_stem(encoder.name)
    (target / f"{stem}.npz").write_bytes(packed.getvalue())
    (target / f"{stem}.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return str(manifest["sha256"])


def main() -> None:
    """Fit and store the map of each encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the full routing data")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the built encoder")
    parser.add_argument("--cache", type=Path, help="folder that remembers embeddings between runs")
    parser.add_argument("--target", type=Path, default=ARTEFACTS)
    options = parser.parse_args()
    texts = prompts_to_fit(options.source, Path(__file__).parent / "data")
    for encoder in (HashedEncoder(), StaticEncoder.load(), Encoder.load(options.encoder)):
        embeddings, forms = raw_features(texts, encoder, options.cache)
        arrays = fit(embeddings, forms, AXES)
        digest = store(arrays, encoder, len(texts), options.target)
        norms = np.linalg.norm(project(spread(embeddings, forms, arrays), arrays), axis=1)
        print(f"{encoder.name}: {digest}; norm mean {norms.mean():.3f}, largest {norms.max():.3f}", flush=True)


if __name__ == "__main__":
    main()
