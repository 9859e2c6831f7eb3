"""What a stream processor is to the code that runs it: it says what it reads, and makes what follows durable."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from events.wire import Incoming


class Processor(Protocol):
    """One subject of the brain. `wants` are the CloudEvents types it reads; others are skipped undecoded.

    After each delivery the next records may gather for `gather_s`, up to `batch` of them: what costs a transaction or a
    request of its own costs it once for all of them. A record that comes alone never waits, unless nobody waits for it.

    When `process` returns, everything that follows from the batch is durable: rows are committed and records are on the
    broker. When it raises, nothing was acknowledged, and the process ends; started again, it reads the batch again. Up to
    `overlap` batches are under way at a time; `passed` is called for each in turn, when it and all before it are durable.
    """

    name: str
    topics: tuple[str, ...]
    wants: frozenset[str]
    batch: int
    gather_s: float
    overlap: int
    outcomes: Counter[str]

    async def start(self) -> None:
        """Connect and read what must be known before the first record."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...

    def foresee(self, record: Incoming) -> bool:
        """Begin what can be begun before a record's turn comes, and return whether somebody waits for what follows from it.

        Called once for each record, in order within a partition.
        """
        ...

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Take in records, in order within each partition."""
        ...

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Move on: a batch is durable, and all before it; it is acknowledged next."""
        ...

    def assigned(self) -> None:
        """Forget cached positions: partitions may have moved."""
        ...


class Around:
    """A processor around another one, which it passes everything on to; who wraps one overrides what it adds to."""

    def __init__(self, inner: Processor) -> None:
        self._inner = inner
        self.name: str = inner.name
        self.topics: tuple[str, ...] = inner.topics
        self.wants: frozenset[str] = inner.wants
        self.batch: int = inner.batch
        self.gather_s: float = inner.gather_s
        self.overlap: int = inner.overlap
        self.outcomes: Counter[str] = inner.outcomes

    async def start(self) -> None:
        """Start the processor."""
        await self._inner.start()

    async def stop(self) -> None:
        """Stop it."""
        await self._inner.stop()

    def assigned(self) -> None:
        """Tell it that partitions moved."""
        self._inner.assigned()

    def foresee(self, record: Incoming) -> bool:
        """Tell it of a record that came."""
        return self._inner.foresee(record)

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Let it process a batch."""
        await self._inner.process(batch)

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Tell it that a batch is durable."""
        await self._inner.passed(batch)
