"""A secret in the environment is in no event, no log line and no error."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

from events.request import SubmitTask
from events.topics import ANSWERS
from smolit.client import Ask, Client, Origin, from_here
from store.postgres import connect
from tests.e2e.conftest import CANARY, System

WAIT_S = 120


def files_with(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that hold a secret: Kafka's segments, logs, records of processes."""
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            if path.is_file() and secret.encode() in path.read_bytes():
                found.append(str(path))
    return found


async def test_the_canary_is_nowhere(system: System) -> None:
    """After tasks that work and one that fails, the canary is in no file of the stack and in no row."""
    origin = Origin(system.names, "default", "canary-test")
    run = token_bytes(4).hex()
    texts = {f"{run}-good": "What is 1 + 2?", f"{run}-bad": "What is one divided by zero, or 1/0?"}
    async with (
        from_here(system.endpoints.kafka, system.names, [ANSWERS]) as answers,
        Client(system.endpoints.kafka, origin, lambda: datetime.now(UTC), token_bytes) as client,
        asyncio.timeout(WAIT_S),
    ):
        await client.send([Ask(SubmitTask(text=text, kind="arithmetic"), request_id) for request_id, text in texts.items()])
        outcomes = [event.fact async for event in client.answers(answers, list(texts))]
    connection = await connect(system.endpoints.postgres, "tests")
    try:
        cursor = await connection.execute("select count(*) from events where payload::text like %s", (f"%{CANARY}%",))
        row = await cursor.fetchone()
    finally:
        await connection.close()

    assert len(outcomes) == len(texts)
    assert row == (0,)
    assert await asyncio.to_thread(files_with, system.settings.data_dir, CANARY) == []
