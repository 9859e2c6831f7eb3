"""Logging never changes what happens: with the sink full or slow, the same tasks give the same events."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.event import Fact
from events.request import SetPolicy, SubmitTask
from events.topics import ANSWERS, TASKS, Names
from events.wire import decode
from smolit.client import Ask, Client, Origin, from_here, reading
from smolit.process import background
from smolit.process.prepare import prepare
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from tests.stacks import namespace_on

TASK_COUNT = 6
WAIT_S = 240
SUMS = [f"What is {number} * (3 + {number})?" for number in range(TASK_COUNT)]


def quiet(_told: str) -> None:
    """Say nothing."""


@contextmanager
def running(settings: Settings, endpoints: Endpoints) -> Iterator[None]:
    """Have all processes run for a while."""
    asyncio.run(prepare(settings, endpoints, quiet))
    background.launch(settings)
    try:
        background.wait_ready(settings, quiet)
        yield
    finally:
        background.halt(settings, quiet)


async def story(settings: Settings, endpoints: Endpoints) -> list[tuple[str, str, str | None]]:
    """Submit tasks one at a time under policy `uniform`, and return (type, task, agent) of every fact about them."""
    names = Names(settings.topic_prefix)
    origin = Origin(names, "default", "story")
    async with Client(endpoints.kafka, origin, lambda: datetime.now(UTC), secrets.token_bytes) as client:
        await client.effect(Ask(SetPolicy(policy="uniform", reason="test"), "story-policy"), WAIT_S)
        for number, text in enumerate(SUMS):
            async with from_here(endpoints.kafka, names, [ANSWERS]) as answers, asyncio.timeout(WAIT_S):
                request_id = f"story-{number}"
                await client.send([Ask(SubmitTask(text=text, kind="arithmetic"), request_id)])
                async for _ in client.answers(answers, [request_id]):
                    pass
    return await told_in(endpoints.kafka, names)


async def told_in(kafka: str, names: Names) -> list[tuple[str, str, str | None]]:
    """Return every fact of the tasks topic as (type, task, agent), task by task in order."""
    found: list[tuple[str, str, str | None]] = []
    async with reading(kafka, {(names.of(TASKS), number): 0 for number in range(TASKS.partitions)}) as reader:
        while records := await reader.fetch(10_000, 1_000):
            for record in records:
                fact = decode(record.headers, record.value).fact
                assert isinstance(fact, Fact)
                found.append((fact.event_type.name, fact.key, getattr(fact, "agent", None)))
    return sorted(found, key=lambda one: one[1])  # stable: the order within a task stays


def sinks(folder: Path) -> dict[str, Path]:
    """Return log files that work, are full, and are read by nobody."""
    fifo = folder / "nobody-reads"
    os.mkfifo(fifo)
    return {"works": folder / "log", "full": Path("/dev/full"), "slow": fifo}


@pytest.mark.timeout(900)
def test_the_same_tasks_give_the_same_events(stack: Endpoints, tmp_path: Path) -> None:
    """With a log that works, one that is full and one that nobody reads: equal (type, task, agent) sequences."""
    stories: dict[str, list[tuple[str, str, str | None]]] = {}
    for name, sink in sinks(tmp_path).items():
        with namespace_on(stack, tmp_path / name) as mine:
            settings = mine.settings.model_copy(update={"log_file": sink, "workers": 1, "start_timeout_s": 300.0})
            endpoints = Endpoints(mine.kafka, mine.postgres, ours=False)
            with running(settings, endpoints):
                stories[name] = asyncio.run(story(settings, endpoints))

    assert len(stories["works"]) >= 6 * TASK_COUNT
    assert stories["full"] == stories["works"]
    assert stories["slow"] == stories["works"]
