"""Faust's consumer, with a cheaper way from the broker to the agents.

Faust lets the client run in a thread with a loop of its own, so every fetch and every call crosses between two loops, and the
threads wait for one another's turn of the interpreter. Here it runs in the loop that processes, which nothing blocks for long.

Faust starts four tasks for each record (one to deliver it, three that wait in case it must stop), and an agent is woken for
records that nobody asked for: together half a millisecond of each record. Here a fetch is delivered by one task, and what
the processor does not read is passed over: it is acknowledged as soon as all before it is.

That order matters. Faust's offset of a group may jump over a record that is still being worked on if the one after it is
acknowledged first, and a process killed then never sees it again (found by `smolit chaos`).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from mode.utils.futures import maybe_async

Wanted = Callable[[Any], bool]  # of a message of Faust


class Worker:
    """A task of the loop, where Faust expects a thread."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.get_running_loop().create_task(self._service._serve())

    def stop(self) -> None:
        """Nothing to join: the service waits for its own shutdown."""


class Client(driver.AIOKafkaConsumerThread):
    """Lets records gather in the broker between two deliveries: each fetch costs both sides a millisecond, full or not.

    Nothing is read ahead meanwhile: what was would be delivered next, and all that gathered after it one turn later.
    """

    def __init__(self, consumer: "Consumer", **kwargs: Any) -> None:
        super().__init__(consumer, thread_loop=consumer.loop, Worker=Worker, **kwargs)

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what Faust would call in the thread."""
        return await maybe_async(fun(*args, **kwargs))

    async def _gather_remaining_tasks(self) -> None:
        """Leave the tasks of the loop alone: they are not all ours, as they would be in a thread."""

    async def _fetch_records(self, consumer: Any, *wanted: Any, **limits: Any) -> Any:
        transport: Any = self.transport
        if not transport.gather_s:
            return await super()._fetch_records(consumer, *wanted, **limits)
        await asyncio.sleep(transport.gather_s)
        consumer.resume(*consumer.paused())
        try:
            return await super()._fetch_records(consumer, *wanted, **limits)
        finally:
            consumer.pause(*consumer.assignment())


class Consumer(driver.Consumer):
    """Delivers a fetch by one task, and acknowledges in order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_order: dict[Any, deque[tuple[Any, bool]]] = defaultdict(
            deque
        )  # by place: message, and whether it is passed over

    def settle(self) -> None:
        """Acknowledge what was passed over, as far as everything before it is acknowledged."""
        for waiting in self._in_order.values():
            while waiting and (waiting[0][1] or waiting[0][0].acked):
                message, passed_over = waiting.popleft()
                if passed_over:
                    self.ack(message)

    async def perform_seek(self) -> None:
        """Go back to what was committed: all that came after it will come again."""
        self._in_order.clear()
        await super().perform_seek()

    def _new_consumer_thread(self) -> Client:
        return Client(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Deliver fetch by fetch until told to stop."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                fetched = [found async for found in self.getmany(timeout=1.0)]
                await self.wait_first(self._deliver(fetched), self.suspend_flow.wait())
                await asyncio.sleep(0)  # a fetch that was here already gave nobody else a turn
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise

    async def _deliver(self, fetched: Sequence[tuple[Any, Any]]) -> None:
        """Hand records to the agents in order; each counts as read, so that after a rewind none comes twice."""
        transport: Any = self.transport
        for place, message in fetched:
            read = self._read_offset[place]
            if read is not None and message.offset < read:
                continue
            if read and message.offset > read + 1:  # the log has no record there: a transaction's marker
                await self._add_gap(place, read + 1, message.offset)
            wanted = transport.wanted(message)
            self._in_order[place].append((message, not wanted))
            if wanted:
                await self.callback(message)
            self._read_offset[place] = message.offset
        self.settle()


class Transport(driver.Transport):
    """Faust's way to Kafka, with our consumer. `wanted` says which messages are delivered, `gather_s` how often, at most."""

    Consumer = Consumer

    def __init__(self, url: Any, app: Any, gather_s: float, wanted: Wanted) -> None:
        super().__init__(url, app)
        self.gather_s = gather_s
        self.wanted = wanted
