"""A stream processor as a process, for tests: a real stream in the real shell, and a clean stop that never ends.

`python brain_endless.py TOPIC`; the settings come from the environment.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from events.wire import Incoming
from smolit.process.brain import BrainProcess
from smolit.process.log import Who
from smolit.process.shell import Shell, main_of
from smolit.settings import load_settings
from streams.app import Brain


class Endless:
    """A processor that does nothing, and takes for ever to stop."""

    name = "endless"
    wants: frozenset[str] = frozenset()
    batch = 10
    gather_s = 0.0
    overlap = 1

    def __init__(self, topic: str) -> None:
        self.topics: tuple[str, ...] = (topic,)
        self.outcomes: Counter[str] = Counter()

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Never end."""
        await asyncio.Event().wait()

    def assigned(self) -> None:
        """Nothing is cached."""

    def foresee(self, record: Incoming) -> bool:
        """Nothing is begun early."""
        return True

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Do nothing."""

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Do nothing."""


def main() -> int:
    """Run it."""
    settings, processor = load_settings(), Endless(sys.argv[1])
    group = f"{settings.topic_prefix}-endless"

    def make() -> BrainProcess:
        brain = Brain(processor, kafka=settings.kafka, group=group, instance="1", data_dir=settings.data_dir / "faust")
        return BrainProcess(processor, brain)

    return main_of(Shell(settings, Who(processor.name, "1"), make))


if __name__ == "__main__":
    sys.exit(main())
