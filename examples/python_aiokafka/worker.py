"""An agent that lives outside of smolit: it factors whole numbers. python worker.py POOL [NAME]; see docs/agents-remote.md."""

import asyncio
import base64
import hashlib
import json
import os
import re
import sys
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from house import House, key_id

SOURCE = "examples/python"  # with our name it says who we are: an answer counts only from who has the attempt
PREFIX = os.environ.get("SMOLIT_TOPIC_PREFIX", "smolit")
REQUESTS = f"{PREFIX}.requests.v1"
CAPACITY, BEAT_S, REPORT_S = 2, 1.0, 1.0
CHUNK = 200_000  # divisions between two looks at what else is to be done

Claim = tuple[str, int, int]  # task, attempt and epoch


class Worker:
    """Announces itself, beats, does what the house tells it and answers; `key` is an Ed25519 seed, None signs nothing."""

    def __init__(self, producer: AIOKafkaProducer, house: House, pool: str, name: str, key: bytes | None) -> None:
        self._producer, self._house, self._pool, self._name = producer, house, pool, name
        self._key = Ed25519PrivateKey.from_private_bytes(key) if key else None
        self._holding: dict[Claim, asyncio.Task[None]] = {}
        self._reported: dict[str, float] = {}
        self._session = str(uuid.uuid4())  # names this run of ours: what was commanded to the one before is none of our business

    async def work(self, consumer: AIOKafkaConsumer) -> None:
        """Work until we are cancelled."""
        about = "factors whole numbers, in Python"
        await self._say("worker.announce", self._session, worker=self._name, pool=self._pool, capacity=CAPACITY, about=about)
        print("announced", flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live())
            async for record in consumer:
                await self._take(record, group)

    async def _live(self) -> None:
        """Show what we are at: the leases of that are renewed, and of nothing else."""
        while True:
            await asyncio.sleep(BEAT_S)
            held = [{"task_id": task, "attempt": attempt, "epoch": epoch} for task, attempt, epoch in self._holding]
            await self._say("worker.beat", worker=self._name, pool=self._pool, capacity=CAPACITY, holding=held)

    async def _take(self, record: ConsumerRecord, group: asyncio.TaskGroup) -> None:
        """Take a command that is for us, if the house gave it, for this pool, and now."""
        try:
            command = json.loads(record.value)
            ours = (command["source"], command["worker"]) == (SOURCE, self._name)
        except (ValueError, TypeError, KeyError):
            return
        if not ours:
            return
        reason = self._house.refuses(record.topic, record.headers, record.value, command, self._session, datetime.now(UTC))
        if reason:
            await self._report(reason, record)
            return
        claim = (command["task_id"], command["attempt"], command["epoch"])
        if dict(record.headers)["ce_type"] == b"smolit.attempt.do.v1":
            self._holding[claim] = group.create_task(self._attempt(claim, command["text"]))
        elif task := self._holding.pop(claim, None):
            task.cancel()

    async def _attempt(self, claim: Claim, text: str) -> None:
        """Do an attempt, and answer under its claim."""
        began = time.perf_counter()
        try:
            result: dict[str, Any] = {"outcome": "completed", "output": {"factors": [str(one) for one in await _factors(text)]}}
        except ValueError as error:
            result = {"outcome": "failed", "reason": "not_a_number", "detail": str(error)}
        steps = [{"name": "divide", "duration_us": round((time.perf_counter() - began) * 1e6), "model": "trial-division/1"}]
        task, attempt, epoch = claim
        named = {"worker": self._name, "task_id": task, "attempt": attempt, "epoch": epoch}
        await self._say("attempt.answer", f"{task}/{attempt}/{epoch}", **named, **result, steps=steps)
        self._holding.pop(claim, None)

    async def _report(self, reason: str, record: ConsumerRecord) -> None:
        """Tell the house that somebody else gives commands in its name, once a second for each reason."""
        if time.monotonic() - self._reported.get(reason, -REPORT_S) < REPORT_S:
            return
        self._reported[reason] = time.monotonic()
        place = f"{record.topic}/{record.partition}/{record.offset}"
        await self._say("command.refuse", worker=self._name, pool=self._pool, reason=reason, place=place)

    async def _say(self, kind: str, event_id: str = "", **said: Any) -> None:
        """Say something as a CloudEvent in binary mode; an answer that is sent again under the same id counts once."""
        value = json.dumps(said).encode()
        covered = {
            "ce_type": f"smolit.{kind}.v1",
            "ce_source": SOURCE,
            "ce_id": event_id or str(uuid.uuid4()),
            "ce_time": datetime.now(UTC).isoformat(),
        }
        headers = {"ce_specversion": "1.0", **covered, "content-type": "application/json", **self._vouched(covered, value)}
        await self._producer.send_and_wait(REQUESTS, value, headers=[(name, text.encode()) for name, text in headers.items()])

    def _vouched(self, covered: dict[str, str], value: bytes) -> dict[str, str]:
        """Return the headers that vouch for what we say: topic, type, source, id, time and every byte of the value."""
        if self._key is None:
            return {}
        lines = ["smolit:worker:1", REQUESTS, *covered.values(), hashlib.sha256(value).hexdigest()]
        signature = base64.b64encode(self._key.sign("\n".join(lines).encode())).decode()
        public = base64.b64encode(self._key.public_key().public_bytes_raw()).decode()
        return {"ce_keyid": key_id(public), "ce_signature": signature}


async def _factors(text: str) -> list[int]:
    """Return the prime factors of the number in a text, smallest first; from time to time others get their turn."""
    found = re.search(r"\d+", text)
    left = int(found[0]) if found else 0
    if not 2 <= left < 2**63:
        raise ValueError("there is no whole number from 2 to 2^63 in the text")
    factors, divisor = [], 2
    while divisor * divisor <= left:
        while left % divisor == 0:
            factors.append(divisor)
            left //= divisor
        divisor += 1
        if divisor % CHUNK == 0:
            await asyncio.sleep(0)
    return [*factors, left] if left > 1 else factors


async def main(pool: str, name: str, key: bytes | None) -> None:
    """Go to the end of our pool's topic first, then begin: whatever is meant for us comes after our announcement."""
    house, topic = House(os.environ.get("SMOLIT_HOUSE_KEY", "")), f"{PREFIX}.work.{pool}.v1"
    kafka = os.environ.get("SMOLIT_KAFKA", "127.0.0.1:19092")
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka) as producer,
        AIOKafkaConsumer(topic, bootstrap_servers=kafka) as consumer,
    ):
        if not consumer.assignment():
            raise SystemExit(f"{topic} is not there: register an agent of the pool first")
        await consumer.seek_to_end()
        for place in consumer.assignment():
            await consumer.position(place)
        await Worker(producer, house, pool, name, key).work(consumer)


def _key() -> bytes | None:
    """Return our private key, made by `smolit agent key examples/python#NAME --make FILE`."""
    path = os.environ.get("SMOLIT_WORKER_KEY")
    return base64.b64decode(Path(path).read_text()) if path else None


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else f"python-{os.getpid()}", _key()))
