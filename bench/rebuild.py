"""How fast read models are made anew beside those that serve, and what readers and the serving fold notice of it.

    python -m bench.rebuild --kafka HOST:PORT --postgres URL [--tasks 2000] [--rate 25] [--readers 4]

Puts the facts of `--tasks` tasks into topics of a prefix of its own, folds them, and rebuilds while `--rate` tasks a second keep
coming and `--readers` connections read the public views. Needs a Kafka and an empty database with our tables.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bus.admin import provision
from bus.producer import Publisher
from events.event import Event, Fact
from events.stamp import stamp
from events.task import AttemptEnded, AttemptStarted, TaskEnded, TaskSubmitted
from events.topics import DEFAULT_TENANT, Names
from events.wire import encode
from projections.catalog import VIEWS
from projections.rebuild import Wanted, Where, rebuild
from projections.runner import Projector
from store.generation import positions, serving
from store.postgres import connect

_PUBLISH = 500


def life(number: int) -> list[Event[Fact]]:
    """Return the facts of one task that nobody had to choose an agent for."""
    task, now = f"bench-{number}", datetime.now(UTC)
    told: dict[str, Any] = {"task_id": task, "tenant": DEFAULT_TENANT}
    facts: list[Fact] = [
        TaskSubmitted(
            **told, request_id=task, requested_by="bench", kind="sum", scope="bench", text="1 + 1", text_sha256="0" * 64,
            text_chars=5, input={}, priority=5, deadline=now + timedelta(hours=1), max_attempts=3, reply_to=None,
        ),
        AttemptStarted(**told, attempt=1, agent="anna", worker="one"),
        AttemptEnded(
            **told, attempt=1, agent="anna", scope="bench", outcome="completed", worker="one", epoch=1, duration_us=1_000,
            steps=(), output={"answer": "2"}, error=None,
        ),
        TaskEnded(**told, scope="bench", outcome="completed", attempts=1, agent="anna"),
    ]  # fmt: skip
    return [stamp(fact, source="bench", now=now, correlation=task, cause=task) for fact in facts]


class Bench:
    """Topics, a publisher, the serving fold and readers, and what they saw."""

    def __init__(self, kafka: str, dsn: str) -> None:
        self.kafka, self.dsn = kafka, dsn
        self.names = Names(f"bench{secrets.token_hex(3)}")
        self.tasks, self.reads_ms, self.refused = 0, list[float](), list[str]()
        self.stop = False
        self._publisher = Publisher(kafka, "bench")

    async def publish(self, how_many: int) -> None:
        """Publish so many tasks."""
        fresh = range(self.tasks, self.tasks + how_many)
        self.tasks += how_many
        records = [encode(self.names.of(one.fact.event_type.topic), one) for number in fresh for one in life(number)]
        for start in range(0, len(records), _PUBLISH):
            await self._publisher.publish(records[start : start + _PUBLISH])

    async def load(self, rate: int) -> None:
        """Publish at an even rate until told to stop."""
        begun, before = time.monotonic(), self.tasks
        while not self.stop:
            due = int((time.monotonic() - begun) * rate) - (self.tasks - before)
            await self.publish(max(0, due))
            await asyncio.sleep(0.1)

    async def read(self, turn: int) -> None:
        """Read one view after the other until told to stop."""
        connection = await connect(self.dsn, "bench reader")
        while not self.stop:
            turn += 1
            begun = time.monotonic()
            try:
                await (
                    await connection.execute(f"select * from public.{VIEWS[turn % len(VIEWS)].name} limit 20".encode())
                ).fetchall()
            except psycopg.Error as error:
                self.refused.append(repr(error))
            self.reads_ms.append((time.monotonic() - begun) * 1000)
            await asyncio.sleep(0.005)
        await connection.close()

    async def run(self, tasks: int, rate: int, readers: int) -> dict[str, object]:
        """Do it all and return the figures."""
        await provision(self.kafka, self.names.all((DEFAULT_TENANT,)))
        await self._publisher.start()
        await self.publish(tasks)
        folding = asyncio.ensure_future(Projector(self.kafka, self.dsn, self.names, (DEFAULT_TENANT,)).run(lambda: self.stop))
        await self._until_folded(4 * tasks)
        going = [asyncio.ensure_future(self.load(rate)), *(asyncio.ensure_future(self.read(turn)) for turn in range(readers))]
        where = Where(self.kafka, self.dsn, self.names, (DEFAULT_TENANT,))
        begun, before = time.monotonic(), self.tasks
        found = await rebuild(where, Wanted("--all"), lambda _pace: None)
        seconds, came = time.monotonic() - begun, self.tasks - before
        self.stop = True
        await asyncio.gather(folding, *going)
        await self._publisher.stop()
        return {
            **{"records": found.records, "records_per_s": found.rate, "equal": found.equal},
            **{"state": found.state, "seconds": round(seconds, 2), "tasks_per_s_meanwhile": round(came / seconds, 1)},
            **self._read(),
        }

    def _read(self) -> dict[str, object]:
        """Return what readers saw."""
        slow = statistics.quantiles(self.reads_ms, n=100)
        return {
            **{"reads": len(self.reads_ms), "refused": len(self.refused)},
            **{"read_p50_ms": round(slow[49], 1), "read_p99_ms": round(slow[98], 1), "read_max_ms": round(max(self.reads_ms), 1)},
        }

    async def _until_folded(self, records: int) -> None:
        """Wait until the serving generation has so many records."""
        connection = await connect(self.dsn, "bench")
        async with asyncio.timeout(600):
            while sum((await positions(connection, (await serving(connection)).name)).values()) < records:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await connection.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--readers", type=int, default=4)
    asked = parser.parse_args(argv)
    found = asyncio.run(Bench(asked.kafka, asked.postgres).run(asked.tasks, asked.rate, asked.readers))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
