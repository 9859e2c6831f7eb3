"""Task or talk: is there work to be given to an agent, or does somebody just speak?

A logistic regression over the text's vector and a few signs, fitted when it is opened, in some ten milliseconds, on the labelled
sentences beside this file, which no test sentence is among; measured by `bench/agents/front.py`.
"""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Sort = Literal["task", "talk"]
Encode = Callable[[str], NDArray[np.float32]]

_PENALTY, _ROUNDS = 0.02, 25  # of L2 per sentence; Newton's method has converged long before
_SIGNS = (
    r"\d",
    r"[-+*/^=%]\s*\d",
    r":\s*\S",
    r"\b(i|i'm|i've|my|me|ich|mir|mich|mein\w*)\b",
    r"\b(you|your|du|dich|dir|dein\w*)\b",
    r"\b(this|these|the|following|attached|below|dies\w*|den|das|die|der)\b",
    r"^\W*(hi|hello|hey|hallo|guten|good (morning|evening|afternoon|night)|thanks?|thank you|danke|vielen dank|bye|goodbye"
    r"|tsch\w+)\b",
    r"^\W*(yes|no|okay|ok|well|cool|great|maybe|ja|nein|na gut)\b",
    r"\b(who|what|which|when|where|how|why|wer|was|welche\w*|wann|wo|wie|warum)\b.*\?",
    r"^\W*(please |bitte )?(calculate|compute|find|extract|translate|summari[sz]e|classify|list|sort|count|convert|compare|write"
    r"|draft|read|give|show|check|explain|solve|predict|forecast|estimate|berechne|finde|fasse|übersetze|schreibe|lies|rechne|zeige|gib)\b",
)
_PATTERNS = tuple(re.compile(sign, re.IGNORECASE) for sign in _SIGNS)


class Sorted(Struct, frozen=True):
    """What a text is, and the probability that it is a task."""

    sort: Sort
    task_probability: float


class Sorter:
    """Tells tasks from talk."""

    def __init__(self, encode: Encode, examples: Sequence[tuple[str, str]]) -> None:
        self._encode = encode
        rows = np.stack([self._row(text) for _, text in examples])
        self._weights = fit(rows, np.array([label == "task" for label, _ in examples], dtype=float))

    @classmethod
    def load(cls, encode: Encode) -> "Sorter":
        """Fit on the sentences beside this file."""
        return cls(encode, labelled(files("agents.front").joinpath("utterances.tsv").read_text(encoding="utf-8")))

    def sort(self, text: str) -> Sorted:
        """Return what a text is."""
        task = float(_sigmoid(self._row(text) @ self._weights))
        return Sorted("task" if task >= 0.5 else "talk", task)

    def _row(self, text: str) -> NDArray[np.float64]:
        """Return the vector, the signs, the length, and a constant."""
        signs = [1.0 if pattern.search(text) else 0.0 for pattern in _PATTERNS]
        return np.array([*(3.0 * self._encode(text).astype(float)), *signs, min(len(text.split()) / 10.0, 2.0), 1.0])


def labelled(table: str) -> list[tuple[str, str]]:
    """Return label and text of each line."""
    return [(label, text) for label, text in (line.split("\t") for line in table.splitlines() if line)]


def fit(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of a logistic regression with an L2 penalty, by Newton's method; shape (features,)."""
    weights = np.zeros(rows.shape[1])
    penalty = _PENALTY * len(rows) * np.eye(rows.shape[1])
    for _ in range(_ROUNDS):
        chance = _sigmoid(rows @ weights)
        slope = rows.T @ (chance - wanted) + penalty @ weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + penalty
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _sigmoid(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(score, -30, 30))))
