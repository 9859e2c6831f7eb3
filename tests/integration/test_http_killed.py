"""The HTTP API agent and kill -9: each effect reaches the provider once, whatever dies in between."""

import asyncio
import json
import os
import signal
from collections import Counter
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, ClassVar

from events.task import TaskEnded
from tests.integration.hands_kit import Floor, asked, chose, task_id
from tests.integration.test_work_processes import orders, shop, until, worker
from tests.said import PATIENCE_S
from tests.service import served
from tests.stacks import Namespace

COUNT = 6


class Provider(BaseHTTPRequestHandler):
    """Does a thing once per key, and is slow to say so."""

    done: ClassVar[dict[str, Any]] = {}
    calls: ClassVar[Counter[str]] = Counter()
    slow: ClassVar[Event] = Event()  # set: answers at once

    def do_POST(self) -> None:
        """Do it, then answer."""
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = f"{self.path} {order['item']}" if self.path == "/plain" else self.headers["idempotency-key"]
        self.calls[key] += 1
        self.done.setdefault(key, order)
        self.slow.wait(PATIENCE_S)
        body = json.dumps({"done": order}).encode()
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked was killed
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def settings_of(url: str, path: str, idempotent: bool) -> dict[str, Any]:
    """Return the settings of an agent that orders."""
    operation = {"path": path, "method": "POST", "idempotent": idempotent, "parameters": {"type": "object"}}
    return {"base": url.rstrip("/"), "operations": {"order": operation}, "timeout_s": 2 * PATIENCE_S}


async def killed_in_the_middle(hall: Floor, namespace: Namespace, first: int, path: str) -> None:
    """Queue orders, kill the worker once all were sent and none was answered, and let another end them."""
    numbers = range(first, first + COUNT)
    facts = [(asked(n, input={"arguments": {"item": f"i{n}"}}), chose(n, agent="buyer")) for n in numbers]
    await hall.tell(*(fact for pair in facts for fact in pair))
    Provider.slow.clear()
    before = sum(Provider.calls.values())
    with worker(orders(namespace, f"victim{first}", capacity=COUNT)) as victim:
        async with asyncio.timeout(PATIENCE_S):
            while sum(Provider.calls.values()) < before + COUNT:  # noqa: ASYNC110 the provider lives in threads
                await asyncio.sleep(0.05)
        os.kill(victim.pid, signal.SIGKILL)
        with worker(orders(namespace, f"heir{first}", capacity=COUNT)):
            Provider.slow.set()
            await until(hall, "select count(*) from ops.work_task where state in ('completed', 'failed')", COUNT)


async def ends(hall: Floor, first: int) -> set[tuple[str, str | None]]:
    """Return how these tasks ended."""
    wanted = {task_id(number) for number in range(first, first + COUNT)}
    return {(fact.outcome, fact.reason) for fact in await hall.sent(TaskEnded) if fact.task_id in wanted}


async def test_under_one_key_each_effect_happens_once(namespace: Namespace) -> None:
    """The worker dies between call and answer; the heir asks under the same keys, and the provider has done each once."""
    with served(Provider) as url:
        async with shop(namespace) as hall:
            await hall.agent("buyer", pipeline="http", settings=settings_of(url, "/keyed", idempotent=True))
            await killed_in_the_middle(hall, namespace, 1, "/keyed")

            keyed = {key: order for key, order in Provider.done.items() if not key.startswith("/plain")}
            assert sorted(order["item"] for order in keyed.values()) == [f"i{n}" for n in range(1, 1 + COUNT)]
            assert all(Provider.calls[key] >= 2 for key in keyed)  # by the victim, and by whoever took over
            assert await ends(hall, 1) == {("completed", None)}


async def test_without_a_key_nothing_is_asked_twice(namespace: Namespace) -> None:
    """A provider that takes no keys was asked once for each, and a person has to say what happened."""
    with served(Provider) as url:
        async with shop(namespace) as hall:
            await hall.agent("buyer", pipeline="http", settings=settings_of(url, "/plain", idempotent=False))
            await killed_in_the_middle(hall, namespace, 101, "/plain")

            plain = {key: count for key, count in Provider.calls.items() if key.startswith("/plain")}
            assert plain == {f"/plain i{n}": 1 for n in range(101, 101 + COUNT)}
            assert await ends(hall, 101) == {("failed", "effect_unknown")}
