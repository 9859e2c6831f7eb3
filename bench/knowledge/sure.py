"""Fits when a sentence is given as an answer (`agents/answering_sure.py`), tests it on other documents, and tells what is missed.

Run: python -m bench.knowledge.sure   (on the local stack; writes what was fitted on to `bench/data/knowledge/evidence.json`)

Fitted on the questions over the documents in `bench/data/knowledge` and its `second`, those that a document answers twice: with
it, and without it, when nothing is right. Tested on `held_out`: other documents, other questions, nothing fitted on them. Also
fitted on half of all documents, drawn by a seed, and tested on the other half, twenty times.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from agents.answering import Candidate, Eyes, candidates
from agents.answering_kind import holds_kind
from agents.answering_sure import Evidence, evidence_of
from agents.port import Passage
from agents.vectors import Encoders, Labelled
from bench.ground import Ground, servers
from bench.knowledge import corpus
from bench.knowledge.corpus import DATA, HELD_OUT, SECOND, Asked
from bench.knowledge.fit import READ, is_right, passages_for
from bench.knowledge.sure_rule import EVIDENCE, Row, fitted, halved, missed, rules, told_of
from bench.spread import Range
from events.topics import Names
from smolit.cli import out
from smolit.settings import load_settings
from store.postgres import connect

_FORMER = ((4.339, 4.274, 1.968, 3.435, 1.207), -10.108)  # decision 050: two cosines, the worst word, codes, what is asked for


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
    seen = Evidence(*(round(value, 4) for value in msgspec.structs.astuple(evidence_of(asked.question, best, eyes))))
    return Row(
        question=asked.question,
        about=asked.document or best.passage.title,
        style=asked.style,
        answerable=asked.document is not None,
        without=without,
        read=any(one.title == asked.document and any(answer in one.text for answer in asked.answers) for one in kept),
        evidence=seen,
        former=round(_former(asked.question, best), 4),
        right=is_right(best, asked),
    )


def _former(question: str, best: Candidate) -> float:
    """Return the chance by the rule of decision 050."""
    seen = best.features
    known = (seen.near, seen.near_there, seen.worst, seen.codes, holds_kind(question, best.text))
    return float(1.0 / (1.0 + np.exp(-_FORMER[1] - np.dot(_FORMER[0], known))))


def main() -> None:
    """Fit anew, write what was fitted on, and print how each rule does on the held-out questions."""
    encoders = Encoders(load_settings().cache / "encoder")
    minilm, static = encoders.open("minilm"), encoders.open("static")
    eyes = Eyes(cache(minilm.encode), cache(static.encode))  # the same sentences are read for every question
    with servers("", "", out.say) as (kafka, url):
        place = Ground(kafka, url, Names("bench"))
        fit = [row for folder in (DATA, SECOND) for row in _rows(place, folder, minilm, eyes)]
        test = _rows(place, HELD_OUT, minilm, eyes)
    EVIDENCE.write_bytes(b"[\n" + b",\n".join(msgspec.json.encode(row) for row in fit) + b"\n]\n")
    out.say(f"fitted on {len(fit)} rows: {fitted(fit)}")
    ways = rules(fit)
    for name, gives in ways.items():
        told = told_of(name, gives, test)
        ranges = (told.right, told.wrong, told.invented, told.invented_without)
        out.say(f"| {name} | {' | '.join(_told(one) for one in ranges)} | {told.worth:.2f} |")
    for name in ("before (050)", "the fit"):
        shares = ", ".join(f"{what} {_told(one)}" for what, one in halved(fit + test, name).items())
        out.say(f"halves of all documents, {name}: {shares}")
        out.say(f"fitted on, {name}: {dict(missed(fit, ways[name]))}")
        out.say(f"held out, {name}: {dict(missed(test, ways[name]))}")
        for style in sorted({row.style for row in test}):
            some = [row for row in test if row.style == style and not row.without]
            out.say(f"held out, {name}, {style}: {sum(ways[name](row) for row in some)} of {len(some)} answered")


def _rows(place: Ground, folder: Path, encoder: Labelled, eyes: Eyes) -> list[Row]:
    """Return the rows of a folder, by a store of its own."""
    with place.database() as url:
        return asyncio.run(rows_of(url, folder, encoder, eyes))


def _told(one: Range) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    main()
