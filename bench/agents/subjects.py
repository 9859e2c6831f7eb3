"""Classification: subjects of questions by the trained head, against the largest class and the nearest centroid."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.heads import TRAINED, encoder, questions
from bench.agents.judged import Judged, accuracy, calibration_error, macro_f1
from bench.agents.sentiment import largest
from bench.agents.training import Example
from bench.spread import bootstrapped
from learning.head import Head, Vector, load

WORKER = "classify"


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    vectors, head, known = encoder(), load("subject"), questions()
    train, test = known[:TRAINED], known[TRAINED:]
    seen, unseen = ([vectors.encode(one.text) for one in some] for some in (train, test))
    ours = [judged(head, one, vector) for one, vector in zip(test, unseen, strict=True)]
    rivals = {"nearest centroid": nearest(train, seen, test, unseen), "largest class": largest(test)}
    data = f"{len(test)} held-out questions of MMLU-Pro, {len(head.manifest.labels)} subjects"
    made = [
        compared(Metric(WORKER, name, data, rival), ours, theirs, of, seed)
        for rival, theirs in rivals.items()
        for name, of in (("accuracy", accuracy), ("macro-F1", macro_f1))
    ]
    error = bootstrapped(ours, calibration_error, seed)
    return [*made, Figure(WORKER, "calibration error", "share", "lower", error, data, len(ours))]


def judged(head: Head, example: Example, vector: Vector) -> Judged:
    """Return the likeliest subject."""
    chances = head.chances(vector)
    best = max(chances, key=lambda label: chances[label])
    return Judged(example.label, best, chances[best])


def nearest(train: Sequence[Example], seen: Sequence[Vector], test: Sequence[Example], unseen: Sequence[Vector]) -> list[Judged]:
    """Return the subject whose mean vector is nearest by cosine."""
    gathered: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for one, vector in zip(train, seen, strict=True):
        gathered[one.label].append(vector)
    labels = sorted(gathered)
    means = np.array([np.mean(gathered[label], axis=0) for label in labels])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return [Judged(one.label, labels[int(np.argmax(means @ vector))]) for one, vector in zip(test, unseen, strict=True)]
