"""When a sentence is given as an answer: the rule is fitted by regression, and judged beside others on rows of questions."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.answering_sure import SURE, Evidence, Sureness
from bench.knowledge.corpus import DATA
from bench.spread import Range, bootstrapped, mean

EVIDENCE = DATA / "evidence.json"
FORMER_SURE = 0.667
_SHRUNK = 0.005  # ridge on standardised features
_DIGITS = 3
_SPLITS = 20


class Row(Struct, frozen=True):
    """The best sentence for a question: what speaks for it, and whether it is right.

    `about`: the document that answers it, else the one that the sentence is of; `without`: it was left out; `read`: a piece that
    holds the answer was among those read; `former`: the chance by the rule of decision 050.
    """

    question: str
    about: str
    style: str
    answerable: bool
    without: bool
    read: bool
    evidence: Evidence
    former: float
    right: bool


class Told(Struct, frozen=True):
    """How a rule does: shares with intervals."""

    rule: str
    right: Range  # of answerable questions
    wrong: Range
    invented: Range  # of questions that nothing answers
    invented_without: Range  # of answerable ones whose document was left out
    worth: float  # right answers less two for each one that is wrong or invented, a question


def fitted(rows: Sequence[Row], names: Sequence[str] = Evidence.__struct_fields__) -> Sureness:
    """Return weights by logistic regression (Newton's steps, a little shrunk); of features that are not named they are 0."""
    x = np.array([[getattr(row.evidence, name) for name in names] for row in rows])
    y = np.array([float(row.right) for row in rows])
    middle, spread = x.mean(axis=0), x.std(axis=0)
    slope = _newton(np.hstack([(x - middle) / spread, np.ones((len(x), 1))]), y)
    plain = slope[:-1] / spread
    of = dict(zip(names, plain, strict=True))
    weights = tuple(round(float(of.get(name, 0.0)), _DIGITS) for name in Evidence.__struct_fields__)
    return Sureness(weights, round(float(slope[-1] - plain @ middle), _DIGITS))


def _newton(z: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros(z.shape[1])
    ridge = np.append(np.full(z.shape[1] - 1, _SHRUNK), 0.0)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-z @ weights))
        slope = z.T @ (chance - y) / len(y) + ridge * weights
        curve = (z * (chance * (1.0 - chance))[:, None]).T @ z / len(y) + np.diag(ridge)
        weights = weights - np.linalg.solve(curve, slope)
    return weights


_PARTS = {
    "what is asked for": ("holds", "lacks"),
    "what is counted": ("counts", "counted"),
    "shared words": ("own", "around", "soft", "rarest", "worst"),
    "codes and names": ("codes",),
}


def stored(path: Path = EVIDENCE) -> list[Row]:
    """Return what was fitted on."""
    return msgspec.json.decode(path.read_bytes(), type=list[Row])


def rules(fit: Sequence[Row]) -> dict[str, Callable[[Row], bool]]:
    """Return when each rule gives an answer: the one before, the fitted one, and fits to fewer features."""
    fewer = {f"the fit without {what}": _but(*names) for what, names in _PARTS.items()} | {"the fit to one cosine": ("near",)}
    made = {"the fit": fitted(fit), **{name: fitted(fit, features) for name, features in fewer.items()}}
    given: dict[str, Callable[[Row], bool]] = {
        "before (050)": lambda row: row.former >= FORMER_SURE,
        "always": lambda _: True,
    }
    for name, weights in made.items():
        given[name] = lambda row, weights=weights: weights.chance(row.evidence) >= SURE  # type: ignore[misc]
    given["the fit, from an even chance on"] = lambda row: made["the fit"].chance(row.evidence) >= 0.5
    return given


def _but(*names: str) -> tuple[str, ...]:
    return tuple(name for name in Evidence.__struct_fields__ if name not in names)


def told_of(rule: str, gives: Callable[[Row], bool], rows: Sequence[Row]) -> Told:
    """Return how a rule does on some rows."""
    there = [row for row in rows if row.answerable and not row.without]
    nothing, without = [row for row in rows if not row.answerable], [row for row in rows if row.without]
    right, wrong = [gives(row) and row.right for row in there], [gives(row) and not row.right for row in there]
    invented, left = [gives(row) for row in nothing], [gives(row) for row in without]
    worth = (sum(right) - 2 * (sum(wrong) + sum(invented))) / (len(there) + len(nothing))
    return Told(rule, _share(right), _share(wrong), _share(invented), _share(left), worth)


def missed(rows: Sequence[Row], gives: Callable[[Row], bool]) -> Counter[str]:
    """Return what became of the questions that a document answers."""
    return Counter(_fate(row, gives(row)) for row in rows if row.answerable and not row.without)


def _fate(row: Row, given: bool) -> str:
    if row.right:
        return "answered" if given else "right, and held back"
    if not row.read:
        return "the piece was not found"
    return f"another sentence came first, and was {'given' if given else 'held back'}"


def halved(rows: Sequence[Row], rule: str, splits: int = _SPLITS) -> dict[str, Range]:
    """Return how a rule does that is fitted on half of the documents, on the other half: middle and range over splits."""
    told = [_split(rows, rule, seed) for seed in range(splits)]
    return {name: _over([one[place] for one in told]) for place, name in enumerate(("right", "wrong", "invented"))}


def _split(rows: Sequence[Row], rule: str, seed: int) -> tuple[float, float, float]:
    """Return the shares of the answerable that are answered rightly and wrongly, and of the others that are answered at all."""
    documents = sorted({row.about for row in rows})
    some = set(random.Random(seed).sample(documents, len(documents) // 2))
    gives = rules([row for row in rows if row.about in some])[rule]
    rest = [row for row in rows if row.about not in some and not row.without]
    there = [gives(row) * (1 if row.right else -1) for row in rest if row.answerable]
    return (
        mean([float(one == 1) for one in there]),
        mean([float(one == -1) for one in there]),
        mean([float(gives(row)) for row in rest if not row.answerable]),
    )


def _over(values: Sequence[float]) -> Range:
    low, high = np.quantile(values, [0.025, 0.975])
    return Range(mean(values), float(low), float(high))


def _share(values: Sequence[bool]) -> Range:
    return bootstrapped([float(value) for value in values], mean)
