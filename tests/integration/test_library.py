"""Policy states followed from a real learning log, with another policy coming into use while examples flow."""

import asyncio
from collections.abc import Callable

import numpy as np

from bus.admin import provision
from bus.producer import Publisher
from bus.reader import PartitionReader
from events.learning import ExampleRecorded
from events.topics import LEARNING, Names
from events.wire import encode
from learning.book import PolicyKey
from learning.policies import DEFAULT
from streams.library import Library
from tests.builders import SCOPE, TENANT, example
from tests.integration import bus_kit as kit
from tests.said import PATIENCE_S
from tests.stacks import Namespace

OTHER = PolicyKey.of("uniform", {})
WIDTH = 2


class Leaving(PartitionReader):
    """A reader that, when it is to leave, first sees to it that something else happens."""

    leaves: "Callable[[], asyncio.Future[None] | asyncio.Task[None]] | None" = None

    async def stop(self) -> None:
        """Let it happen, then leave."""
        if self.leaves is not None:
            happens, self.leaves = self.leaves, None
            await happens()
        await super().stop()


async def test_a_policy_that_comes_into_use_misses_no_example(namespace: Namespace) -> None:
    """One that is recorded while its fold from the beginning is being put away is followed like all later ones."""
    names = Names(namespace.topic_prefix)
    topic = names.of(LEARNING)
    await provision(namespace.kafka, {topic: LEARNING})

    def reader(kafka: str, client_id: str) -> PartitionReader:
        made = Leaving(kafka, client_id)
        made.leaves = (lambda: asyncio.ensure_future(learned(4))) if client_id.endswith("-refold") else None
        return made

    library = Library(
        namespace.kafka, "tests", names, PolicyKey.of(DEFAULT, {}), WIDTH, "map", lambda _: np.ones(WIDTH), make_reader=reader
    )
    async with kit.publisher(namespace.kafka) as publisher:

        async def learned(upto: int) -> None:
            """Record examples up to this number, and wait until the default policy knows them."""
            known = library.pages[TENANT, SCOPE][PolicyKey.of(DEFAULT, {})].sequence if library.pages else 0
            await record(publisher, topic, range(known + 1, upto + 1))
            async with asyncio.timeout(PATIENCE_S):
                while not library.pages or library.pages[TENANT, SCOPE][PolicyKey.of(DEFAULT, {})].sequence < upto:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # nobody announces it

        await library.start()
        try:
            await learned(3)
            page = await library.page(TENANT, SCOPE, OTHER)
            await learned(5)
            library.check()
        finally:
            await library.stop()

    assert page.sequence == 5


async def record(publisher: Publisher, topic: str, numbers: range) -> None:
    """Publish numbered examples of one scope."""
    facts = [example(0.5, task_id=f"t{number}", sequence=number) for number in numbers]
    assert all(isinstance(one.fact, ExampleRecorded) for one in facts)
    await publisher.publish([encode(topic, one) for one in facts])
