"""What a process touches the world with. The chaos harness puts wrapped ones in their place; the product has no other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bus.producer import Publisher
from bus.reader import PartitionReader
from store.fold import DurableFold
from store.postgres import Connection, connect


def utc_now() -> datetime:
    """Return the wall clock in UTC: the time on facts, never their order."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Ports:
    """Makers of everything outward: clock, Kafka out and in, Postgres, and the fold that moves positions."""

    clock: Callable[[], datetime] = utc_now
    publisher: Callable[[str, str], Publisher] = Publisher
    reader: Callable[[str, str], PartitionReader] = PartitionReader
    connect: Callable[[str, str], Awaitable[Connection]] = connect
    fold: Callable[[str, Connection], DurableFold] = DurableFold
