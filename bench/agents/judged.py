"""Classifiers: accuracy, macro-F1, and how far told chances are from what came true. Pure."""

from collections.abc import Sequence

from msgspec import Struct

_BINS = 10


class Judged(Struct, frozen=True):
    """One text: its label, what was said, and how sure that was (0 to 1)."""

    wanted: str
    said: str
    confidence: float = 1.0


def accuracy(of: Sequence[Judged]) -> float:
    """Return the share that is right."""
    return sum(one.wanted == one.said for one in of) / len(of)


def macro_f1(of: Sequence[Judged]) -> float:
    """Return the mean over labels of F1, each label counting the same."""
    labels = sorted({one.wanted for one in of})
    return sum(_f1(of, label) for label in labels) / len(labels)


def calibration_error(of: Sequence[Judged]) -> float:
    """Return the expected calibration error over ten bins of confidence (Naeini et al., 2015)."""
    bins: list[list[Judged]] = [[] for _ in range(_BINS)]
    for one in of:
        bins[min(int(one.confidence * _BINS), _BINS - 1)].append(one)
    return sum(abs(sum(one.confidence for one in some) - sum(one.wanted == one.said for one in some)) for some in bins) / len(of)


def _f1(of: Sequence[Judged], label: str) -> float:
    right = sum(one.wanted == one.said == label for one in of)
    counted = sum((one.wanted == label) + (one.said == label) for one in of)
    return 2 * right / counted if counted else 0.0
