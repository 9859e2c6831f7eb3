"""The client script of docs/clients.md against the whole system: a task in, its answer out, with librdkafka alone."""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "clients" / "submit_librdkafka.py"

# `system` is the bootstrap address of a Kafka behind which everything runs, with the topic prefix `smolit`.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tests.e2e.conftest") is None, reason="tests/e2e/conftest.py (fixture `system`) is not there"
)


async def test_arithmetic_is_done_for_whoever_asks(system: str) -> None:
    """A producer that knows nothing of us gets the right answer to a sum."""
    script = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), system, "17 * 23", "arithmetic"), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        out, _ = await script.communicate()

    answer = json.loads(out)
    assert (script.returncode, answer["outcome"]) == (0, "completed")
    assert "391" in json.dumps(answer["output"])
