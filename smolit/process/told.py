"""Ports that tell: one line in the log for each event handled or published, and one for each failure among them.

They say what happened and change nothing; the lines go to a queue that never waits (`smolit.process.sink`).
"""

import logging
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from bus.producer import Published, Publisher
from bus.reader import PartitionReader
from events.answer import RequestRefused
from events.dead_letter import DeadLetter
from events.heartbeat import WorkerSeen
from events.piece import PieceSpoken
from events.task import AttemptEnded, TaskEnded
from events.wire import Incoming, Outgoing
from smolit.process import log
from smolit.process.ports import Ports
from streams.processor import Around

_PASSING = frozenset(cls.event_type.wire_name for cls in (WorkerSeen, PieceSpoken))  # neither is kept
_FATEFUL = frozenset(cls.event_type.wire_name for cls in (AttemptEnded, TaskEnded, RequestRefused, DeadLetter))
_GOOD = "completed"


class Fate(Struct, frozen=True):
    """How something ended: as much of a fact as its line needs."""

    outcome: str | None = None
    reason: str | None = None
    detail: str | None = None
    error: str | None = None


def told_ports() -> Ports:
    """Return the plain ports, told."""
    return Ports(publisher=ToldPublisher, reader=ToldReader, processor=ToldProcessor)


class ToldPublisher(Publisher):
    """Tells of every record that the broker has; what failed is told as a warning, with its reason."""

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Publish, then tell."""
        places = await super().publish(records)
        for record, place in zip(records, places, strict=True):
            tell_published(record, place)
        return places


class ToldReader(PartitionReader):
    """Tells of every record read, to whoever asks for that much (`debug`)."""

    async def fetch(self, limit: int = 500, wait_ms: int = 200) -> list[Incoming]:
        """Fetch, then tell."""
        records = await super().fetch(limit, wait_ms)
        logger = log.bind()
        for record in records if logger.is_enabled_for(logging.DEBUG) else ():
            logger.debug("read", **log.about(record.topic, record.key, record.headers), origin=record.origin)
        return records


class ToldProcessor(Around):
    """Tells of every record of a batch, once what follows from it is durable."""

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Process a batch, then tell."""
        await super().process(batch)
        logger = log.bind()
        for record in batch:
            logger.info("handled", **log.about(record.topic, record.key, record.headers), origin=record.origin)


def tell_published(record: Outgoing, place: Published) -> None:
    """Write the line of one record that the broker has; what is not kept is told to whoever asks for that much."""
    fields = log.about(record.topic, record.key, record.headers)
    where = f"{place.topic}/{place.partition}/{place.offset}"
    fate = msgspec.json.decode(record.value, type=Fate) if fields["type"] in _FATEFUL else None
    if fate is not None and fate.outcome != _GOOD:
        why = {name: told for name in Fate.__struct_fields__ if (told := getattr(fate, name)) is not None}
        log.bind().warning("failed", **fields, origin=where, **why)
    else:
        level = logging.DEBUG if fields["type"] in _PASSING else logging.INFO
        log.bind().log(level, "published", **fields, origin=where)
