"""What a process tells of itself over HTTP on loopback: /health, /ready and /metrics."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from smolit.process.log import Who
from smolit.process.runnable import Runnable
from smolit.stack.port import HOST

_CONTENT_TYPE = "content-type"


class Lines(Protocol):
    """What became of this process's log lines."""

    written: int
    dropped: int


class _Figures(Collector):
    """The figures of one process in Prometheus' terms; labels are few and fixed, never a task id."""

    def __init__(self, who: Who, runnable: Runnable, lines: Lines) -> None:
        self._who, self._runnable, self._lines = who, runnable, lines

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        outcomes = CounterMetricFamily("smolit_outcomes", "What became of what was taken in.", labels=["process", "outcome"])
        for outcome, count in sorted(self._runnable.counters().items()):
            outcomes.add_metric([self._who.component, outcome], count)
        yield outcomes
        lines = CounterMetricFamily("smolit_log_lines", "Log lines by what became of them.", labels=["process", "fate"])
        lines.add_metric([self._who.component, "written"], self._lines.written)
        lines.add_metric([self._who.component, "dropped"], self._lines.dropped)
        yield lines


class _Uptime(Collector):
    """How long the process has run."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        yield GaugeMetricFamily("smolit_uptime_seconds", "Seconds since the process began.", value=self._seconds)


class Health:
    """The three answers of one process."""

    def __init__(self, who: Who, runnable: Runnable, lines: Lines, since: datetime) -> None:
        self._who, self._runnable, self._since = who, runnable, since
        self._figures = _Figures(who, runnable, lines)

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and who answers them."""
        return [
            web.get("/health", self._health),
            web.get("/ready", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        told = {"process": self._who.component, "instance": self._who.instance, "since": self._since.isoformat()}
        return web.json_response(told)

    async def _ready(self, _request: web.Request) -> web.Response:
        ready = await self._runnable.ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        age = datetime.now(self._since.tzinfo) - self._since
        registry.register(_Uptime(age.total_seconds()))
        registry.register(self._figures)
        ProcessCollector(registry=registry)
        return web.Response(body=generate_latest(registry), headers={_CONTENT_TYPE: CONTENT_TYPE_LATEST})


@asynccontextmanager
async def served(health: Health, port: int) -> AsyncIterator[int]:
    """Answer on loopback while the context lasts; yield the port, which the system chose if it is 0."""
    app = web.Application()
    app.add_routes(health.routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
