"""Take a backup while everything runs: first the tables, of one moment, then the log up to its ends after that moment.

In this order every position, claim and origin in the tables is a place that the log has. What the log has beyond the
positions is read after a restore, like after any start. The other way round, positions would point beyond the log.
"""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bus.cluster import look
from bus.errors import LogChanged
from bus.reader import PartitionReader, Place
from bus.refill import group_offsets
from bus.segment import SegmentWriter
from events.topics import Names
from smolit.backup import artefacts
from smolit.backup.manifest import Manifest, Partition, Segment, Tables, read_manifest, write_manifest
from smolit.errors import BackupUnusable
from smolit.process.roster import BRAINS
from smolit.settings import Settings
from smolit.stack.jar import sha256
from smolit.stack.local import Endpoints
from store import migrate
from store.dump import dump
from store.errors import SchemaMissing
from store.postgres import connect, snapshot

_LIMIT = 5_000


async def take(settings: Settings, endpoints: Endpoints, folder: Path, now: datetime) -> Manifest:
    """Write a backup into a folder, or bring the one that is there up to date: segments are added, the tables replaced.

    Raises:
        BackupUnusable: the folder holds something else, or the backup of another log.
        SchemaMissing: there is nothing to back up yet.
    """
    before = _known(folder, settings)
    number = before.number + 1 if before else 1
    names = Names(settings.topic_prefix)
    groups = {group: await group_offsets(endpoints.kafka, group) for group in groups_of(settings)}
    tables = await _tables(endpoints, folder, number)
    logs = {topic: seen.log for topic, seen in (await look(endpoints.kafka)).items() if topic in names.kept(settings.tenants)}
    partitions = await _log(endpoints.kafka, folder, before, number, names.kept(settings.tenants))
    # After the log: an artefact is written before its version is registered, so every version that is kept has its own.
    kept = artefacts.keep(settings.data_dir / artefacts.FOLDER, folder)
    made = Manifest(
        taken_at=now,
        prefix=settings.topic_prefix,
        logs=logs,
        partitions=tuple(partitions),
        tables=tables,
        groups={group: {f"{topic}/{part}": at for (topic, part), at in known.items()} for group, known in groups.items()},
        number=number,
        artefacts=kept,
    )
    write_manifest(folder, made)
    artefacts.drop_others(folder, kept)
    if before:
        shutil.rmtree(folder / before.tables.folder, ignore_errors=True)
    return made


def groups_of(settings: Settings) -> list[str]:
    """Return the consumer groups whose offsets are kept: without selection's it would choose for every task once more."""
    return [f"{settings.topic_prefix}-{name}" for name in BRAINS]


def _known(folder: Path, settings: Settings) -> Manifest | None:
    """Return the backup that is to be brought up to date, if there is one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = read_manifest(folder)
    if found is None and any(one.name not in ("log", "tables-1", artefacts.FOLDER) for one in folder.iterdir()):
        raise BackupUnusable(f"{folder} is not empty and holds no backup; name another folder")
    if found is not None and found.prefix != settings.topic_prefix:
        raise BackupUnusable(f"{folder} holds the backup of {found.prefix!r}, not of {settings.topic_prefix!r}")
    return found


async def _tables(endpoints: Endpoints, folder: Path, number: int) -> Tables:
    """Dump the tables in one snapshot."""
    revision = migrate.current(endpoints.postgres)
    if revision is None:
        raise SchemaMissing("the database holds nothing of smolit yet; there is nothing to back up")
    place = folder / f"tables-{number}"
    connection = await connect(endpoints.postgres, "smolit-backup")
    try:
        async with snapshot(connection):
            dumped = await dump(connection, place)
    finally:
        await connection.close()
    digests = {one.file: sha256(place / one.file) for one in dumped}
    return Tables(folder=place.name, revision=revision, tables=tuple(dumped), sha256=digests)


async def _log(kafka: str, folder: Path, before: Manifest | None, number: int, topics: Sequence[str]) -> list[Partition]:
    """Write what came since the backup before, up to the ends as of now."""
    present = await look(kafka)
    if before:
        _assert_continued(before, {topic: seen.log for topic, seen in present.items()})
    known = {one.place: one for one in before.partitions} if before else {}
    places = [(topic, part) for topic in topics if topic in present for part in range(present[topic].partitions)]
    begin = {place: known[place].end if place in known else 0 for place in places}
    reader = PartitionReader(kafka, "smolit-backup")
    await reader.start(begin)
    try:
        ends = await reader.ends()
        added = await _segments(reader, folder, begin, ends, number)
    finally:
        await reader.stop()
    others = [one for place, one in known.items() if place not in ends]  # of tenants that the settings name no longer
    return [*others, *(_partition(place, known.get(place), added.get(place), ends[place]) for place in places)]


def _assert_continued(before: Manifest, logs: dict[str, str]) -> None:
    """Refuse to add segments of another log to a backup."""
    for topic, log in before.logs.items():
        if logs.get(topic) != log:
            raise LogChanged(f"topic {topic} is not the one that this backup is from; begin a new backup in another folder")


async def _segments(
    reader: PartitionReader, folder: Path, begin: dict[Place, int], ends: dict[Place, int], number: int
) -> dict[Place, Segment]:
    """Write one segment for each partition that grew."""
    behind = {place: end for place, end in ends.items() if end > begin[place]}
    writers = {place: SegmentWriter(folder / _file(place, number)) for place in behind}
    written = dict(behind)
    while behind:
        for record in await reader.fetch(_LIMIT):
            if record.offset < ends[record.topic, record.partition]:
                writers[record.topic, record.partition].write(record)
        behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    for writer in writers.values():
        writer.close()
    return {
        place: Segment(
            file=_file(place, number),
            first=begin[place],
            end=end,
            records=writers[place].records,
            sha256=sha256(folder / _file(place, number)),
        )
        for place, end in written.items()
    }


def _file(place: Place, number: int) -> str:
    return f"log/{place[0]}/{place[1]}/{number:06}.gz"


def _partition(place: Place, known: Partition | None, added: Segment | None, end: int) -> Partition:
    """Return a partition with the segment that was added."""
    segments = (*(known.segments if known else ()), *([added] if added else []))
    return Partition(topic=place[0], partition=place[1], end=end, segments=segments)
