"""The client script of docs/clients.md against the whole system: a task in, its answer out, with librdkafka alone."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.e2e.conftest import System

SCRIPT = Path(__file__).parents[2] / "docs" / "clients" / "submit_librdkafka.py"


async def answer(system: System, *arguments: str) -> dict[str, Any]:
    """Run the script; return the answer that it printed."""
    script = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), system.endpoints.kafka, *arguments), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        out, _ = await script.communicate()
    assert script.returncode == 0
    printed: dict[str, Any] = json.loads(out)
    return printed


async def test_arithmetic_is_done_for_whoever_asks(system: System) -> None:
    """A producer that knows nothing of us gets the right answer to a sum."""
    given = await answer(system, "17 * 23", "arithmetic")

    assert given["outcome"] == "completed"
    assert "391" in json.dumps(given["output"])


async def test_a_refusal_is_answered_too(system: System) -> None:
    """A request that cannot be one is refused to the one who sent it, with the name of the field."""
    refused = await answer(system, "17 * 23", "no name at all")

    assert refused["reason"] == "malformed_payload"
    assert "`$.kind`" in refused["detail"]
