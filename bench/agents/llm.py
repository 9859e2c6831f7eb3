"""Language models: how fast the local one answers, how often it keeps a schema, when a breaker opens, what a cache saves.

Everything runs here: the local model's own server, and an endpoint that only fails. Prompts are drawn from the seed.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal

from agents.errors import AgentFailed
from agents.llm import local, weights
from agents.llm.backend import Backend
from agents.llm.cache import Cache, Kept, NoCache
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.llm.turn import Backends, Means
from agents.port import Ask, Message, Said
from bench.agents.figure import Figure
from bench.spread import bootstrapped

_KEY = "bench"
_ANSWERS, _FITS, _QUESTIONS = 12, 20, 40
_WORDS = ("river", "engine", "bread", "winter", "market", "garden", "bridge", "letter", "window", "music", "harbour", "cotton")
_NOTHING = NoCache()
_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 24}, "count": {"type": "integer"}},
    "required": ["name", "count"],
    "additionalProperties": False,
}


def measure(seed: int) -> list[Figure]:
    """Return the figures of the language models."""
    return asyncio.run(_measure(random.Random(seed)))


async def _measure(draw: random.Random) -> list[Figure]:
    """Serve the local model, and measure."""
    file = weights.find()
    weights.check(file)
    began = time.perf_counter()
    served = await asyncio.to_thread(local.serve, file, _KEY, 1)
    loaded_s = time.perf_counter() - began
    backend = Backend("local", f"http://{local.HOST}:{served.port}/v1", _KEY, weights.MODEL, local=True)
    async with _chain(Backends((), lambda: backend)) as chain:
        await chain.complete(_ask("Warm up.", 4))
        firsts, speeds = await _streams(chain, draw)
        fits = [await _fits(chain, word) for word in draw.choices(_WORDS, k=_FITS)]
        faster, same = await _together(chain)
    return [
        _figure("load", "s", "lower", [loaded_s], "the weights, one start"),
        _figure("first token", "ms", "lower", firsts, "prompts of about 30 tokens, one at a time"),
        _figure("speed", "tokens/s", "higher", speeds, "answers of 48 tokens, one at a time, one thread"),
        _figure("answers that fit their schema", "share", "higher", fits, "objects with a name and a count"),
        _figure("throughput of two at a time, of one at a time", "ratio", "higher", [faster], "12 answers of 24 tokens"),
        _figure("answers that are the same alone and in company", "share", "higher", same, "12 answers of 24 tokens"),
        *await _breaker(lambda: backend),
        *await _cache(lambda: backend, draw),
    ]


async def _streams(chain: Chain, draw: random.Random) -> tuple[list[float], list[float]]:
    """Return the times of first pieces in milliseconds, and tokens per second after them."""
    firsts, speeds = [], []
    for number in range(_ANSWERS):
        began, first, said = time.perf_counter(), 0.0, None
        async for part in chain.stream(_ask(f"Question {number}: tell me about a {draw.choice(_WORDS)}.", 48)):
            first = first or time.perf_counter()
            said = part if isinstance(part, Said) else said
        firsts.append((first - began) * 1000)
        if said is not None and said.tokens_out > 1:
            speeds.append((said.tokens_out - 1) / (time.perf_counter() - first))
    return firsts, speeds


async def _together(chain: Chain) -> tuple[float, list[float]]:
    """Return how much faster questions are answered two at a time than alone, and which answers are the same."""
    questions = [f"Describe a {word} in one sentence." for word in _WORDS]
    began = time.perf_counter()
    alone = [(await chain.complete(_ask(one, 24))).text for one in questions]
    between = time.perf_counter()
    pairs = zip(questions[::2], questions[1::2], strict=True)
    company = [said.text for pair in pairs for said in await asyncio.gather(*(chain.complete(_ask(one, 24)) for one in pair))]
    ended = time.perf_counter()
    return (between - began) / (ended - between), [float(one == other) for one, other in zip(alone, company, strict=True)]


async def _fits(chain: Chain, word: str) -> float:
    """Return 1 if an answer fits its schema, else 0."""
    try:
        await chain.complete(_ask(f"How many of a {word} are there? Answer as JSON.", 64, schema=_SCHEMA))
    except AgentFailed:  # nobody gave an answer that fits
        return 0.0
    return 1.0


async def _breaker(backend: Callable[[], Backend]) -> list[Figure]:
    """Ask a chain whose first member always fails; return calls until it was left alone, and the share that was answered."""
    with _broken() as (url, calls):
        broken = Backend("broken", url, _KEY, "m")
        async with _chain(Backends((broken,), backend)) as chain:
            answered = [await chain.complete(_ask(f"Number {number}.", 2)) for number in range(_QUESTIONS)]
    share = [float(bool(one.text) and one.fallback) for one in answered]
    return [
        _figure("calls that reach a failing endpoint", "calls", "lower", [len(calls)], f"{_QUESTIONS} questions", "at most 10"),
        _figure("answered although the endpoint fails", "share", "higher", share, "error 500, then the local model", "1"),
    ]


async def _cache(backend: Callable[[], Backend], draw: random.Random) -> list[Figure]:
    """Ask with repeats, with and without a cache; return the hit rate and the time saved."""
    asked = [f"Say one word about a {word}." for word in _WORDS]
    questions = draw.choices(asked, k=len(asked) * 2)
    took: dict[bool, float] = {}
    hits: list[float] = []
    for cached in (False, True):
        async with _chain(Backends((), backend), _Heap() if cached else _NOTHING) as chain:
            began = time.perf_counter()
            said = [await chain.complete(_ask(one, 8)) for one in questions]
            took[cached] = time.perf_counter() - began
        hits = [float(one.cached) for one in said]
    data = f"{len(questions)} questions, {len(set(questions))} different"
    return [
        _figure("cache hit rate", "share", "higher", hits, data),
        _figure("time with a cache, of that without", "share", "lower", [took[True] / took[False]], data),
    ]


class _Heap:
    """A cache in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Kept] = {}

    async def get(self, tenant: str, key: str, /) -> Kept | None:
        """Return what is kept."""
        return self._kept.get((tenant, key))

    async def put(self, tenant: str, key: str, kept: Kept, /) -> None:
        """Keep it."""
        self._kept[tenant, key] = kept


@asynccontextmanager
async def _chain(backends: Backends, cache: Cache = _NOTHING) -> AsyncIterator[Chain]:
    """Yield a chain without budgets."""
    means = Means(_now, time.monotonic, cache=cache)
    chain = Chain(backends, means, Caller(_now))
    try:
        yield chain
    finally:
        await chain.close()


@contextmanager
def _broken() -> Iterator[tuple[str, list[int]]]:
    """Serve an endpoint that answers every call with 500; yield its address and the calls."""
    calls: list[int] = []

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(1)
            body = json.dumps({"error": {"message": "broken"}}).encode()
            self.send_response(500)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((local.HOST, 0), Broken)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{local.HOST}:{server.server_port}/v1", calls
    finally:
        server.shutdown()
        server.server_close()


def _ask(text: str, max_tokens: int, schema: dict[str, Any] | None = None) -> Ask:
    """Return a question with a minute's time."""
    return Ask(
        (Message("user", text),), _now() + timedelta(seconds=60), "bench", "bench", text, max_tokens=max_tokens, schema=schema
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _figure(
    metric: str, unit: str, better: Literal["higher", "lower"], values: Sequence[float], data: str, asked: str = ""
) -> Figure:
    """Return a figure: the mean with its interval, where there are several values."""
    return Figure("llm", metric, unit, better, bootstrapped(values, statistics.fmean), data, len(values), asked=asked)
