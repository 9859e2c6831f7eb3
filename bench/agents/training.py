"""Training heads: multinomial logistic regression, calibrated by cross-validation. The same texts and seed give the same bytes.

Run: python -m bench.agents.training [NAME]; it writes to learning/artefacts/heads.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.head import Head, Manifest, Vector, save, softmax

FOLDS = 10
_TEMPERATURES = np.geomspace(0.25, 8.0, 61)


class Example(NamedTuple):
    """A text and its label."""

    label: str
    text: str


class Recipe(Struct, frozen=True):
    """What a head is trained with: `regularisation` is tried in this order, and the best by cross-validation is taken."""

    name: str
    version: int
    encoder: str
    labels: tuple[str, ...]
    least: float
    regularisation: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    seed: int = 1


def trained(recipe: Recipe, examples: Sequence[Example], features: Callable[[str], Vector]) -> Head:
    """Return a head; its tensors are not written yet."""
    vectors = np.array([features(one.text) for one in examples], dtype=np.float64)
    wanted = np.array([recipe.labels.index(one.label) for one in examples])
    scored = [(_held_out(vectors, wanted, strength, recipe.seed), strength) for strength in recipe.regularisation]
    logits, strength = max(scored, key=lambda one: float(np.mean(one[0].argmax(axis=1) == wanted)))
    model = _fitted(vectors, wanted, strength)
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        encoder=recipe.encoder,
        labels=recipe.labels,
        temperature=temperature(logits, wanted),
        least=recipe.least,
        sha256="",
        data_sha256=digest(examples),
        rows=len(examples),
        seed=recipe.seed,
        regularisation=strength,
        libraries={name: version(name) for name in ("scikit-learn", "numpy", "onnxruntime")},
    )
    return Head(manifest, model[0].astype(np.float32), model[1].astype(np.float32))


def temperature(logits: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """Return the temperature under which what came true was likeliest."""

    def surprise(heat: float) -> float:
        chances = np.array([softmax(row / heat) for row in logits])
        return float(-np.log(chances[np.arange(len(wanted)), wanted] + 1e-12).mean())

    return float(min(_TEMPERATURES, key=surprise))


def digest(examples: Sequence[Example]) -> str:
    """Return the digest of what was trained on."""
    return hashlib.sha256("\n".join(f"{one.label}\t{one.text}" for one in examples).encode()).hexdigest()


def _held_out(vectors: NDArray[np.float64], wanted: NDArray[np.int64], strength: float, seed: int) -> NDArray[np.float64]:
    """Return the logits of each text by a head that was trained on the other folds."""
    from sklearn.model_selection import StratifiedKFold

    told = np.zeros((len(wanted), int(wanted.max()) + 1))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(vectors, wanted):
        weights, bias = _fitted(vectors[train], wanted[train], strength)
        told[test] = vectors[test] @ weights.T + bias
    return told


def _fitted(
    vectors: NDArray[np.float64], wanted: NDArray[np.int64], strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and bias, one row for each label."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # two threads on two busy cores wait for each other, and add up in another order
        model = LogisticRegression(C=strength, max_iter=5_000, tol=1e-8).fit(vectors, wanted)
    if len(model.classes_) == 2:  # then it has one row: the second label against the first
        return np.vstack([-model.coef_ / 2, model.coef_ / 2]), np.hstack([-model.intercept_ / 2, model.intercept_ / 2])
    return model.coef_, model.intercept_


def main() -> None:
    """Train and write the heads that are named, or all."""
    from bench.agents.heads import HEADS, encoder

    wanted = sys.argv[1:] or list(HEADS)
    for name in wanted:
        made = save(HEADS[name](encoder()))
        of = made.manifest
        print(f"{name}: {of.rows} texts, C = {of.regularisation}, temperature {of.temperature:.3f}, sha256 {of.sha256}")


if __name__ == "__main__":
    main()
