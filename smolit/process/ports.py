"""What a process touches the world with. The chaos harness puts wrapped ones in their place; the product has no other."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bus.producer import MakePublisher, Publisher
from bus.reader import MakeReader, PartitionReader
from store.fold import DurableFold, MakeFold
from store.postgres import Connect, connect
from streams.processor import Processor

if TYPE_CHECKING:
    import httpx  # only workers call services: the others need not load it

    from streams.admitting import Reader


def utc_now() -> datetime:
    """Return the wall clock in UTC: the time on facts, never their order."""
    return datetime.now(UTC)


def http_client(hosts: Collection[str] = ()) -> "httpx.AsyncClient":
    """Return what calls services, of which those that are not public have to be listed by their address."""
    import httpx

    from agents.web.transport import PinnedTransport

    return httpx.AsyncClient(trust_env=False, transport=PinnedTransport(hosts))


def as_it_is(processor: Processor) -> Processor:
    """Return the processor that Faust is to run."""
    return processor


def opened(open_reader: "Callable[[], Reader]") -> "Reader":
    """Return what reads texts, as the settings name it."""
    return open_reader()


@dataclass(frozen=True)
class Ports:
    """Makers of what faces outward: clock, Kafka out and in, Postgres, HTTP, fold, processor, and what reads texts."""

    clock: Callable[[], datetime] = utc_now
    publisher: MakePublisher = Publisher
    reader: MakeReader = PartitionReader
    connect: Connect = connect
    fold: MakeFold = DurableFold
    http: Callable[[Collection[str]], "httpx.AsyncClient"] = http_client
    processor: Callable[[Processor], Processor] = as_it_is
    texts: "Callable[[Callable[[], Reader]], Reader]" = opened
