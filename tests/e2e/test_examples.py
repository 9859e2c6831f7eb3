"""The producers of `examples/` against the whole system: a task in, its answer out, and what it was worth in the log.

Each runs where its toolchain is installed; what it needs is fetched, and compiled, once into the cache.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bus.reader import PartitionReader
from events.errors import EventError
from events.event import Message
from events.task import FeedbackGiven
from events.topics import TASKS
from events.wire import Incoming, decode
from smolit.client import from_here
from smolit.stack.jar import fetch_jars, read_lock
from smolit.stack.java import OLDEST_JAVA, major_version
from tests.e2e.conftest import System, told
from tests.toolchain import cache, fetched, npm_folder, tool

EXAMPLES = Path(__file__).parents[2] / "examples"
JARS = {"kafka-clients", "jackson-core", "jackson-databind", "jackson-annotations", "slf4j-api"}
WAIT_S = 120
Program = Callable[[System], list[str]]


def python(name: str) -> Program:
    """Return how to run an example in Python: with the clients that the tests have."""
    return lambda _: [sys.executable, str(EXAMPLES / name / "submit.py")]


def node(_: System) -> list[str]:
    """Run the example in Node, with the packages of its lock."""
    program = tool("node")
    return [program, str(npm_folder(EXAMPLES / "node") / "submit.mjs")]


def java(system: System) -> list[str]:
    """Run the example in Java from its source, with the jars that the local Kafka runs on."""
    tool("javac")
    program = tool("java")
    if major_version(Path(program)) < OLDEST_JAVA:
        pytest.skip(f"java is older than {OLDEST_JAVA} here")
    folder = fetch_jars(system.settings.cache, system.settings.maven_repository, told)
    jars = [str(folder / jar.file_name) for jar in read_lock() if jar.artifact in JARS]
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # it runs for a second
    return [program, *quick, "-cp", os.pathsep.join(jars), str(EXAMPLES / "java" / "Submit.java")]


def go(_: System) -> list[str]:
    """Run the example in Go, compiled once per content."""
    compiler = tool("go")
    source = EXAMPLES / "go"
    binary = cache("go", sorted(path for path in source.iterdir() if path.is_file())) / "submit"
    if not binary.exists():
        fetched([compiler, "build", "-mod=readonly", "-o", str(binary), "."], source)
    return [str(binary)]


PROGRAMS: dict[str, Program] = {
    "python_aiokafka": python("python_aiokafka"),
    "python_librdkafka": python("python_librdkafka"),
    "node": node,
    "java": java,
    "go": go,
}


async def run(system: System, command: list[str], *arguments: str) -> tuple[int | None, dict[str, Any]]:
    """Run a program; return its exit code, and the answer that it printed."""
    program = await asyncio.create_subprocess_exec(
        *command, *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, "SMOLIT_KAFKA": system.endpoints.kafka}
    )
    async with asyncio.timeout(WAIT_S):
        out, _ = await program.communicate()
    printed: dict[str, Any] = json.loads(out)
    return program.returncode, printed


async def feedback_of(reader: PartitionReader, rater: str) -> FeedbackGiven:
    """Return the first feedback of a rater that comes into the log."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for fact in map(fact_of, await reader.fetch()):
                if isinstance(fact, FeedbackGiven) and fact.rater == rater:
                    return fact


def fact_of(record: Incoming) -> Message | None:
    """Return the fact in a record, if it is one."""
    try:
        return decode(record.headers, record.value).fact
    except EventError:
        return None


def test_every_example_is_run() -> None:
    """No folder with a program is left out."""
    assert {one.name for one in EXAMPLES.iterdir() if any(file.suffix != ".yaml" for file in one.iterdir())} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_task_is_done_and_judged(system: System, name: str) -> None:
    """A producer that knows nothing of us gets the right answer to a sum, and what it thinks of it becomes a fact."""
    command = PROGRAMS[name](system)
    async with from_here(system.endpoints.kafka, system.names, (TASKS,)) as reader:
        code, answer = await run(system, command, "17 * 23", "arithmetic")
        judged = await feedback_of(reader, f"examples/{name}")

    assert (code, answer["outcome"]) == (0, "completed")
    assert "391" in json.dumps(answer["output"])
    assert (judged.task_id, judged.value) == (answer["task_id"], 1.0)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_refusal_is_printed(system: System, name: str) -> None:
    """A request that cannot be one is refused to the one who sent it, with the name of the field."""
    code, refused = await run(system, PROGRAMS[name](system), "17 * 23", "no name at all")

    assert (code, refused["reason"]) == (1, "malformed_payload")
    assert "`$.kind`" in refused["detail"]
