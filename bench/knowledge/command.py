"""`smolit bench knowledge`: how well and how fast knowledge is searched."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from agents.vectors import Encoders, Labelled
from bench.ground import Ground, Postgres, servers
from bench.knowledge import corpus
from bench.knowledge.quality import Quality, qualities
from bench.knowledge.speed import Speed, fill, speeds
from bench.knowledge.store import queries, sentences
from events.knowledge import EncoderKind
from events.topics import Names
from smolit.cli import out
from smolit.settings import load_settings
from store.postgres import connect

KINDS: tuple[EncoderKind, ...] = ("static", "minilm", "hashed")
Sizes = Annotated[str, typer.Option("--sizes", help="Numbers of pieces, separated by commas; 0: only the labelled questions.")]


class Figures(Struct, frozen=True):
    """What `--json` writes."""

    quality: list[Quality]
    speed: list[Speed]
    questions: int
    seed: int


def knowledge(
    sizes: Sizes = "1000,10000,100000",
    questions: Annotated[int, typer.Option("--questions", min=10, help="Questions asked at each size.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="What the store is put together by.")] = 1,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
    postgres: Postgres = "",
) -> None:
    """Measure what is found for labelled questions, and recall and time by size, against the exact scan and plain pgvector."""
    counts = [int(one) for one in sizes.split(",") if int(one)]
    encoders = Encoders(load_settings().cache / "encoder")
    with servers("", postgres, out.say) as (kafka, url):
        place = Ground(kafka, url, Names("bench"))
        found = _quality(place, {kind: encoders.open(kind) for kind in KINDS})
        measured = [one for size in counts for one in _sized(place, encoders.open("static"), size, questions, seed)]
    figures = Figures(found, measured, questions, seed)
    _show(figures)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")


def _quality(place: Ground, encoders: dict[EncoderKind, Labelled]) -> list[Quality]:
    """Return what is found for the labelled questions."""

    async def go(url: str) -> list[Quality]:
        connection = await connect(url, "bench")
        try:
            told = corpus.facts(corpus.documents(), list(encoders.values()), "static")
            await corpus.write(connection, told)
            return [one for made in encoders.values() for one in await qualities(connection, made, corpus.questions())]
        finally:
            await connection.close()

    with place.database() as url:
        return asyncio.run(go(url))


def _sized(place: Ground, encoder: Labelled, size: int, count: int, seed: int) -> list[Speed]:
    """Return how a store of a size is searched."""

    async def go(url: str) -> list[Speed]:
        connection = await connect(url, "bench")
        try:
            pool = sentences()
            await fill(connection, encoder, pool, size, seed, out.say)
            return await speeds(connection, encoder, queries(pool, count, seed + 1), size)
        finally:
            await connection.close()

    with place.database() as url:
        return asyncio.run(go(url))


def _show(figures: Figures) -> None:
    """Write them for people."""
    columns = ("encoder", "by", "recall@1", "recall@5", "recall@10", "nDCG@10", "nDCG over words")
    rows = [
        (one.encoder, one.way, one.recall_1.told, one.recall_5.told, one.recall_10.told, one.ndcg.told, one.ndcg_gain.told)
        for one in figures.quality
    ]
    out.table(columns, rows, title="What is found for the labelled questions")
    timed = [
        (one.pieces, one.way, one.recall.told if one.recall else "", one.p50_ms, one.p99_ms, one.cpu_ms, one.fewest_hits)
        for one in figures.speed
    ]
    out.table(("pieces", "way", "recall@10", "p50 ms", "p99 ms", "CPU ms", "fewest hits"), timed, title="By size")
