"""What a stretch of the log holds: how many facts of each kind, by whom, and how large."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.floor import TRAVELLED, Fact
from bus.reader import PartitionReader, Place
from events.topics import Names
from events.wire import Headers, Incoming, event_type
from smolit.client import ends, places_of, reading


@dataclass
class _Sum:
    """Sums over the records of one kind."""

    headers: Headers
    source: str
    ids: set[bytes] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)
    header_bytes: int = 0
    key_bytes: int = 0
    value_bytes: int = 0

    def add(self, record: Incoming, event_id: bytes) -> None:
        """Take in one record; a fact that was published twice counts once."""
        if event_id in self.ids:
            return
        self.ids.add(event_id)
        self.keys.add(record.key or b"")
        self.key_bytes += len(record.key or b"")
        self.header_bytes += sum(len(name.encode()) + len(content) for name, content in record.headers)
        self.value_bytes += len(record.value or b"")


async def log_ends(kafka: str, names: Names) -> dict[Place, int]:
    """Return the ends of the topics that facts of tasks travel on."""
    return await ends(kafka, places_of(names, TRAVELLED))


async def tally(kafka: str, before: Mapping[Place, int], after: Mapping[Place, int]) -> dict[str, Fact]:
    """Return each kind of fact between two ends of the log, by its CloudEvents type."""
    sums: dict[str, _Sum] = {}
    async with reading(kafka, dict(before)) as reader:
        while not await _reached(reader, after):
            for record in await reader.fetch():
                if record.offset < after[record.topic, record.partition]:
                    _add(sums, record)
    return {name: _fact(name, found) for name, found in sums.items()}


async def _reached(reader: PartitionReader, after: Mapping[Place, int]) -> bool:
    return all([await reader.position(*place) >= end for place, end in after.items()])


def _add(sums: dict[str, _Sum], record: Incoming) -> None:
    """Add a record to its kind."""
    told = dict(record.headers)
    name = event_type(record.headers) or "no event"
    found = sums.setdefault(name, _Sum(record.headers, told.get("ce_source", b"").decode()))
    found.add(record, told.get("ce_id", b""))


def _fact(name: str, found: _Sum) -> Fact:
    """Return the means of one kind."""
    records = len(found.ids)
    return Fact(
        name=name,
        source=found.source,
        records=records,
        key=next(iter(found.keys)) if len(found.keys) == 1 else None,
        headers=tuple(found.headers),
        key_bytes=found.key_bytes / records,
        header_bytes=found.header_bytes / records,
        value_bytes=found.value_bytes / records,
    )
