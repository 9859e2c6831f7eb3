"""What a stream processor is to the code that runs it: it says what it reads, and makes what follows durable."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from events.wire import Incoming


class Processor(Protocol):
    """One subject of the brain. `wants` are the CloudEvents types it reads; others are skipped undecoded.

    After each delivery the next records may gather for `gather_s`, up to `batch` of them: what costs a transaction or a
    request of its own costs it once for all of them. A record that comes alone never waits.

    When `process` returns, everything that follows from the batch is durable: rows are committed and records are on the
    broker. When it raises, nothing was acknowledged, and the process ends; started again, it reads the batch again.
    """

    name: str
    topics: tuple[str, ...]
    wants: frozenset[str]
    batch: int
    gather_s: float
    outcomes: Counter[str]

    async def start(self) -> None:
        """Connect and read what must be known before the first record."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...

    def foresee(self, record: Incoming) -> None:
        """Begin what can be begun before a record's turn comes; called once for each, in order within a partition."""
        ...

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Take in records, in order within each partition."""
        ...

    def assigned(self) -> None:
        """Forget cached positions: partitions may have moved."""
        ...
