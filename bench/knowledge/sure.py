"""Fits when a sentence is given as an answer (`agents/answering_sure.py`), and tests it on other documents.

Run: python -m bench.knowledge.sure   (on the local stack; writes what was fitted on to `bench/data/knowledge/evidence.json`)

Fitted on the questions over the documents in `bench/data/knowledge`, those that a document answers twice: with it, and without
it, when nothing is right. Tested on `bench/data/knowledge/held_out`: other documents, other questions, nothing fitted on them.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.answering import Eyes, candidates
from agents.answering_sure import SURE, Evidence, Sureness, evidence_of
from agents.port import Passage
from agents.vectors import Encoders, Labelled
from bench.ground import Ground, servers
from bench.knowledge import corpus
from bench.knowledge.corpus import DATA, HELD_OUT, Asked
from bench.knowledge.fit import READ, is_right, passages_for
from bench.spread import Range, bootstrapped, mean
from events.topics import Names
from smolit.cli import out
from smolit.settings import load_settings
from store.postgres import connect

EVIDENCE = DATA / "evidence.json"
OLD_SURE = 0.79  # from which rank on an answer was given before (decision 046)
_SHRUNK = 0.005  # ridge on standardised features
_DIGITS = 3


class Row(Struct, frozen=True):
    """The best sentence for a question: what speaks for it, its rank, whether it is right; `without`: document left out."""

    question: str
    answerable: bool
    without: bool
    evidence: Evidence
    rank: float
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


def stored(path: Path = EVIDENCE) -> list[Row]:
    """Return what was fitted on."""
    return msgspec.json.decode(path.read_bytes(), type=list[Row])


def rules(fit: Sequence[Row]) -> dict[str, Callable[[Row], bool]]:
    """Return when each rule gives an answer: the one before, the fitted one, and fits to fewer features."""
    fewer = {
        "the fit without what is asked for": ("near", "near_there", "worst", "codes"),
        "the fit without codes and names": ("near", "near_there", "worst", "kind"),
        "the fit to one cosine": ("near",),
    }
    made = {"the fit": fitted(fit), **{name: fitted(fit, features) for name, features in fewer.items()}}
    given: dict[str, Callable[[Row], bool]] = {
        "before: rank from .79": lambda row: row.rank >= OLD_SURE,
        "always": lambda _: True,
    }
    for name, weights in made.items():
        given[name] = lambda row, weights=weights: weights.chance(row.evidence) >= SURE  # type: ignore[misc]
    given["the fit, from an even chance on"] = lambda row: made["the fit"].chance(row.evidence) >= 0.5
    return given


def told_of(rule: str, gives: Callable[[Row], bool], rows: Sequence[Row]) -> Told:
    """Return how a rule does on some rows."""
    there = [row for row in rows if row.answerable and not row.without]
    nothing, without = [row for row in rows if not row.answerable], [row for row in rows if row.without]
    right, wrong = [gives(row) and row.right for row in there], [gives(row) and not row.right for row in there]
    invented, left = [gives(row) for row in nothing], [gives(row) for row in without]
    worth = (sum(right) - 2 * (sum(wrong) + sum(invented))) / (len(there) + len(nothing))
    return Told(rule, _share(right), _share(wrong), _share(invented), _share(left), worth)


def _share(values: Sequence[bool]) -> Range:
    return bootstrapped([float(value) for value in values], mean)


async def rows_of(url: str, folder: Path, encoder: Labelled, eyes: Eyes) -> list[Row]:
    """Return the rows of the questions over a folder's documents, by a store that holds nothing else."""
    connection = await connect(url, "bench")
    try:
        await corpus.write(connection, corpus.facts(corpus.documents(folder / "documents"), [encoder], "minilm"))
        rows: list[Row] = []
        for asked in corpus.questions(folder / "questions.json"):
            passages = await passages_for(connection, encoder, asked.question, 2 * READ)
            rows += [row for without in (False, True) if (row := _row(asked, passages, without, eyes)) is not None]
        return rows
    finally:
        await connection.close()


def _row(asked: Asked, passages: Sequence[Passage], without: bool, eyes: Eyes) -> Row | None:
    """Return the row of a question, with or without its document; None: there is nothing to leave out, or nothing was found."""
    if without and asked.document is None:
        return None
    kept = [one for one in passages if not without or one.title != asked.document][:READ]
    found = candidates(asked.question, kept, eyes)
    if not found:
        return None
    best = found[0]
    seen = Evidence(*(round(value, 4) for value in msgspec.structs.astuple(evidence_of(asked.question, best))))
    return Row(asked.question, asked.document is not None, without, seen, round(best.chance, 4), is_right(best, asked))


def main() -> None:
    """Fit anew, write what was fitted on, and print how each rule does on the held-out questions."""
    encoders = Encoders(load_settings().cache / "encoder")
    minilm, static = encoders.open("minilm"), encoders.open("static")
    eyes = Eyes(minilm.encode, static.encode)
    with servers("", "", out.say) as (kafka, url):
        place = Ground(kafka, url, Names("bench"))
        with place.database() as first, place.database() as second:
            fit = asyncio.run(rows_of(first, DATA, minilm, eyes))
            test = asyncio.run(rows_of(second, HELD_OUT, minilm, eyes))
    EVIDENCE.write_bytes(b"[\n" + b",\n".join(msgspec.json.encode(row) for row in fit) + b"\n]\n")
    out.say(f"fitted on {len(fit)} rows: {fitted(fit)}")
    for name, gives in rules(fit).items():
        told = told_of(name, gives, test)
        shares = (told.right, told.wrong, told.invented, told.invented_without)
        out.say(f"| {name} | {' | '.join(_told(one) for one in shares)} | {told.worth:.2f} |")


def _told(one: Range) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    main()
