"""Structured logs: one line per event handled and per failure, with task and correlation id, component and time.

Nothing is set up by importing this; a process calls `start` once. Lines go to standard error or to a file through a
queue that drops rather than waits (see `smolit.process.sink`), and carry no secret.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from events.topics import TASKS
from events.wire import TYPE_HEADER, Headers
from smolit.process.redact import Redact, redactor, secrets_of
from smolit.process.sink import Sink
from smolit.settings import Settings

_LAST_WORDS_S = 1.0  # how long an ending process waits for a sink that takes nothing
_CORRELATION, _ID = "ce_correlationid", "ce_id"
_OF_TASKS = f".{TASKS.entity}."


@dataclass(frozen=True)
class Who:
    """Whose lines these are."""

    component: str
    instance: str


class _Out:
    """What structlog writes to: finished lines, into the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, line: str) -> None:
        self._sink.put(line)

    log = debug = info = warning = error = critical = exception = msg


class _Bridge(logging.Handler):
    """Brings the records of libraries into the same lines, and closes their sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(logging.WARNING)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)

    def handleError(self, record: logging.LogRecord) -> None:
        """Keep silent: a record that cannot be written stops nobody, and standard error might block."""

    def close(self) -> None:
        """Write what is left, for a moment."""
        super().close()
        self._sink.close(_LAST_WORDS_S)


@contextmanager
def started(settings: Settings, who: Who, others: frozenset[str] = frozenset()) -> Iterator[Sink]:
    """Log from here on, and write what is left at the end; `others` are secrets beside those in settings and environment."""
    sink = Sink(settings.log_file)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    redact = redactor(secrets_of(settings, os.environ, others))
    structlog.configure(
        processors=_processors(settings, who, redact),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Out(sink),
        cache_logger_on_first_use=False,
    )
    with _libraries(sink):
        yield sink


def last_words() -> None:
    """Write what is left, for a moment: for a process that ends without coming to the end of `started`."""
    for handler in logging.getLogger().handlers:
        handler.close()


def bind(**fields: Any) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose every line carries these fields."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(**fields)
    return bound


def about(topic: str, key: bytes | None, headers: Headers) -> dict[str, str]:
    """Return the fields that say which event a line is about; nothing is decoded for it but the headers."""
    told = {name.lower(): content.decode("utf-8", "replace") for name, content in headers if content is not None}
    return {
        "type": told.get(TYPE_HEADER, ""),
        "task_id": (key or b"").decode("utf-8", "replace") if _OF_TASKS in topic else "",
        "correlation_id": told.get(_CORRELATION) or told.get(_ID, ""),
        "event_id": told.get(_ID, ""),
    }


def _processors(settings: Settings, who: Who, redact: Redact) -> list[Processor]:
    """Return what turns an event dictionary into a line."""

    def sign(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {"component": who.component, "instance": who.instance, **line}

    def hide(_logger: WrappedLogger, _method: str, line: EventDict) -> Mapping[str, Any]:
        hidden: Mapping[str, Any] = redact(line)
        return hidden

    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        sign,
        structlog.processors.format_exc_info,
        hide,
        _renderer(settings),
    ]


def _renderer(settings: Settings) -> Processor:
    """Return what writes a line for machines or for people."""
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer()
    colours = settings.log_file is None and sys.stderr is not None and sys.stderr.isatty()
    return structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")


@contextmanager
def _libraries(sink: Sink) -> Iterator[None]:
    """Send what libraries have to say, from warnings upwards, the same way."""
    root, bridge = logging.getLogger(), _Bridge(sink)
    root.addHandler(bridge)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(bridge)
        bridge.close()
