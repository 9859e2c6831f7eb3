"""What the agent that answers out of documents is worth: before its documents are taken in, and after."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from msgspec import Struct

from agents.catalog import build
from agents.pipeline import Effect, Toolbox, Work
from agents.pipelines.answer import Answer
from agents.vectors import Encoders
from bench.agents.figure import Figure
from bench.ground import Ground, servers
from bench.knowledge import corpus
from bench.knowledge.corpus import DOMAIN, TENANT, Asked
from bench.spread import Range, bootstrapped
from events.agent import AgentSpec
from events.topics import Names
from learning.outcomes import Outcomes
from smolit.cli import out
from smolit.knowledge.shelf import PostgresShelf
from smolit.settings import PROJECT, load_settings
from store.postgres import connect

WORKER, DATA = "answer", "bench/data/knowledge/held_out"


class Given(Struct, frozen=True):
    """What was answered to a question: whether anything was claimed, rightly, and whether its citation holds the answer."""

    asked: Asked
    known: bool
    right: bool
    cited: bool


def measure(seed: int) -> list[Figure]:
    """Return the figures of the held-out questions on a Postgres of the local stack; the seed moves the intervals alone."""
    settings = load_settings()
    encoders = Encoders(settings.cache / "encoder")
    with servers("", "", out.say) as (kafka, url), Ground(kafka, url, Names("bench")).database() as database:
        before, after = asyncio.run(_both(database, encoders))
    return figures_of(before, after, seed)


def figures_of(before: Sequence[Given], after: Sequence[Given], seed: int) -> list[Figure]:
    """Return the figures of two runs over the same questions."""
    answerable = [one for one in after if one.asked.document]
    unanswerable = [one for one in after if not one.asked.document]
    claimed = [one for one in answerable if one.known]
    pairs = [float(late.right) - float(early.right) for early, late in zip(before, after, strict=True) if late.asked.document]
    empty = _share([one.right for one in before if one.asked.document], seed)
    common: dict[str, Any] = {"worker": WORKER, "data": DATA}
    return [
        Figure(
            metric="right answers",
            unit="share of answerable questions",
            better="higher",
            value=_share([one.right for one in answerable], seed),
            n=len(answerable),
            baseline="the same store before anything was taken in",
            baseline_value=empty,
            **common,
        ),
        Figure(
            metric="right answers, after minus before, paired",
            unit="share of answerable questions",
            better="higher",
            value=_mean(pairs, seed),
            n=len(pairs),
            **common,
        ),
        Figure(
            metric="right citations",
            unit="share of answers given to answerable questions",
            better="higher",
            value=_share([one.cited for one in claimed], seed),
            n=len(claimed),
            **common,
        ),
        Figure(
            metric="invented answers",
            unit="share of unanswerable questions",
            better="lower",
            value=_share([one.known for one in unanswerable], seed),
            n=len(unanswerable),
            baseline="always giving the best sentence",
            baseline_value=Range(1.0, 1.0, 1.0),
            **common,
        ),
    ]


async def _both(database: str, encoders: Encoders) -> tuple[list[Given], list[Given]]:
    """Ask all questions of an empty store, take the documents in, and ask again."""
    connection = await connect(database, "bench")
    shelf = PostgresShelf(lambda: connect(database, "bench"), Names("bench"), encoders)
    asked = corpus.questions(corpus.HELD_OUT / "questions.json")
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            recorded = lambda path: Outcomes.load(path.parent, path.name)  # noqa: E731 nothing is recorded here
            toolbox = Toolbox(PROJECT, frozenset(), http, recorded, shelf=shelf, encoders=encoders)
            before = [await _given(toolbox, one) for one in asked]
            minilm = await encoders.get("minilm")
            await corpus.write(connection, corpus.facts(corpus.documents(corpus.HELD_OUT / "documents"), [minilm], "minilm"))
            return before, [await _given(toolbox, one) for one in asked]
    finally:
        await shelf.close()
        await connection.close()


async def _given(toolbox: Toolbox, asked: Asked) -> Given:
    """Return what the agent says to a question."""
    spec = AgentSpec(WORKER, "answers", (WORKER,), Answer.name, knowledge=(DOMAIN,))
    deadline = datetime.now(UTC) + timedelta(minutes=1)
    work = Work(TENANT, "task", 1, WORKER, None, asked.question, {}, deadline, spec=spec)
    output = (await build(spec, toolbox).run(work, _NoEffects(), lambda: 0.0)).output
    quotes = [(one["title"], one["quote"]) for one in output["citations"]]
    cited = any(title == asked.document and any(answer in quote for answer in asked.answers) for title, quote in quotes)
    right = output["known"] and any(answer in output["answer"] for answer in asked.answers)
    return Given(asked, output["known"], bool(right), cited)


class _NoEffects:
    """Nothing outside is asked for."""

    async def once(self, effect: Effect, call: Any) -> Any:
        """Refuse."""
        raise AssertionError(f"{effect.step}: no effect is expected here, {call} least of all")


def _share(values: Sequence[bool], seed: int) -> Range:
    return _mean([float(value) for value in values] or [0.0], seed)


def _mean(values: Sequence[float], seed: int) -> Range:
    return bootstrapped(values, lambda sample: sum(sample) / len(sample), seed)
