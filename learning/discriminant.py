"""Telling apart who a text is for: regularised least squares over examples, each class against all others. Pure.

Rifkin, Yeo and Poggio, Regularized least-squares classification (2003). A class counts as much as any other, however many rows
it has; solved once for a set of examples, then a text costs one product. A cosine with the nearest example says how near a text
is to a class, this says what it has that the others have not.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from events.task import Features
from learning.features import unit_rows
from learning.surface import SURFACE_NAMES

FORM_WEIGHT = 0.7  # of a text's form beside its vector, and
PENALTY = 1.0  # of long weights: both chosen on texts of three styles, docs/decisions/062-who-fits.md
_LIMIT = 3.0  # standard deviations of a number of the form
_LEAST_DEVIATION = 0.1  # what a few examples have in common is not told from others by a hair

Array = NDArray[np.float64]


class Discriminant(NamedTuple):
    """What tells classes apart: how a text's form is scaled, the middle of all examples, and weights, shape (width, classes)."""

    form_mean: Array
    form_deviation: Array
    middle: Array
    weights: Array

    def leanings(self, text: Features) -> Array:
        """Return how much more a text speaks for each class than any text does, about -1 to 1; shape (classes,)."""
        row = _rows([text], self.form_mean, self.form_deviation)[0] - self.middle
        leanings: Array = np.einsum("d,dc->c", row, self.weights)
        return leanings


def discriminant(examples: Sequence[Features], classes: NDArray[np.int64], shared: NDArray[np.bool_]) -> Discriminant:
    """Tell classes apart by examples, those of a class one after the other; `shared[a, b]`: one of `a` is one of `b`, too."""
    forms = np.array([_form(one) for one in examples])
    mean, deviation = forms.mean(axis=0), forms.std(axis=0) + _LEAST_DEVIATION
    counts = np.bincount(classes)
    weight = (len(examples) / (len(counts) * counts))[classes]
    rows = _rows(examples, mean, deviation)
    middle = np.average(rows, axis=0, weights=weight)
    rows -= middle
    weighted = rows * weight[:, None]
    gram = weighted.T @ rows + PENALTY * np.eye(rows.shape[1])
    sums = np.add.reduceat(weighted, np.cumsum(counts) - counts, axis=0)
    weights = np.linalg.solve(gram, sums.T @ (shared - shared.mean(axis=0)))
    return Discriminant(mean, deviation, middle, np.ascontiguousarray(weights))


def vector(text: Features) -> Array:
    """Return the embedding of a text, as it was kept."""
    return np.frombuffer(text.embedding, dtype="<f2").astype(np.float64)


def _form(text: Features) -> Array:
    """Return the named numbers of a text's form."""
    return np.frombuffer(text.surface[: 2 * len(SURFACE_NAMES)], dtype="<f2").astype(np.float64)


def _rows(texts: Sequence[Features], mean: Array, deviation: Array) -> Array:
    """Return what texts are told apart by: their vectors at length one, beside their form."""
    forms = np.clip((np.array([_form(one) for one in texts]) - mean) / deviation, -_LIMIT, _LIMIT)
    vectors = unit_rows(np.array([vector(one) for one in texts]))
    return np.concatenate([vectors, FORM_WEIGHT / np.sqrt(len(mean)) * forms], axis=1)
