"""A projections process and a publisher, for tests of the memory on a real Kafka."""

import asyncio
import time
from collections.abc import Callable, Sequence

from bus.admin import provision
from bus.producer import Publisher
from events.event import Event, Fact
from events.topics import Names
from events.wire import encode
from projections.catalog import PROJECTIONS
from projections.projection import Projection
from projections.runner import Projector
from tests.builders import life
from tests.said import PATIENCE_S
from tests.stacks import Namespace

TENANTS = ("default",)


class Process:
    """A projections process as a task of the test."""

    def __init__(self, namespace: Namespace, projections: Sequence[Projection] = PROJECTIONS) -> None:
        names = Names(namespace.topic_prefix)
        self.projector = Projector(namespace.kafka, namespace.postgres, names, TENANTS, projections=projections)
        self._stop = False
        self.task = asyncio.ensure_future(self.projector.run(lambda: self._stop))

    async def reaches(self, condition: Callable[[int | None], bool]) -> None:
        """Wait until its lag is as wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(await self.projector.lag()):  # noqa: ASYNC110 the lag is asked for, nobody announces it
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop it in order."""
        self._stop = True
        await self.task


async def publish(namespace: Namespace, events: Sequence[Event[Fact]]) -> None:
    """Make the topics and publish facts where they belong."""
    names = Names(namespace.topic_prefix)
    await provision(namespace.kafka, names.all(TENANTS))
    publisher = Publisher(namespace.kafka, "tests")
    await publisher.start()
    try:
        await publisher.publish([encode(_topic(names, event.fact), event) for event in events])
    finally:
        await publisher.stop()


def _topic(names: Names, fact: Fact) -> str:
    """Return where a fact belongs."""
    home = names.of(fact.event_type.topic)
    return names.dead_letters_of(home) if fact.event_type.name == "dead_letter.recorded" else home


class Load:
    """Tasks that keep coming while the context lasts: every fifth of a second a handful of them, each with its whole life."""

    TASKS, PAUSE_S = 6, 0.2

    def __init__(self, namespace: Namespace) -> None:
        self._names = Names(namespace.topic_prefix)
        self._publisher = Publisher(namespace.kafka, "load")
        self._going: asyncio.Task[None] | None = None
        self.tasks = 0
        self.seconds = 0.0

    async def __aenter__(self) -> "Load":
        """Begin."""
        await self._publisher.start()
        self._going = asyncio.create_task(self._go())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, once what is under way is in the log."""
        going, self._going = self._going, None
        if going is not None:
            await going
        await self._publisher.stop()

    async def _go(self) -> None:
        """Publish in even steps; a step that took long is made up for."""
        begun = time.monotonic()
        while self._going is not None:
            fresh = range(self.tasks, self.tasks + self.TASKS)
            facts = [fact for number in fresh for fact in life(f"load-{number}", at=number)]
            await self._publisher.publish([encode(_topic(self._names, event.fact), event) for event in facts])
            self.tasks += self.TASKS
            self.seconds = time.monotonic() - begun
            await asyncio.sleep(max(0.0, self.tasks / self.TASKS * self.PAUSE_S - self.seconds))
