"""What a backup holds, in one file that is written last: whatever it does not name is not part of the backup."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from bus.reader import Place
from bus.segment import read_segment
from events.wire import Incoming
from smolit.errors import BackupUnusable
from smolit.stack.jar import sha256
from store.dump import Dumped

FORMAT = 1
NAME = "manifest.json"


class Segment(Struct, frozen=True, kw_only=True):
    """A stretch of one partition: offsets from `first` until `end`, `records` of them, in a file with this digest."""

    file: str
    first: int
    end: int
    records: int
    sha256: str


class Partition(Struct, frozen=True, kw_only=True):
    """One partition from its start until `end`, in segments that follow each other."""

    topic: str
    partition: int
    end: int
    segments: tuple[Segment, ...]

    @property
    def place(self) -> Place:
        """Return topic and partition."""
        return self.topic, self.partition


class Tables(Struct, frozen=True, kw_only=True):
    """The operational tables of one moment, before the end of the log: folder, schema revision, tables, digest by file."""

    folder: str
    revision: str
    tables: tuple[Dumped, ...]
    sha256: dict[str, str]


class Manifest(Struct, frozen=True, kw_only=True):
    """One backup. `logs` are the ids of the topics, `groups` the offsets that Faust's consumer groups had committed.

    `artefacts` are digests of the versions' files; a backup of an older release has none.
    """

    taken_at: datetime
    prefix: str
    logs: dict[str, str]
    partitions: tuple[Partition, ...]
    tables: Tables
    groups: dict[str, dict[str, int]]
    number: int = 1
    artefacts: dict[str, str] = {}
    format: int = FORMAT

    @property
    def ends(self) -> dict[Place, int]:
        """Return where each partition ends in this backup."""
        return {one.place: one.end for one in self.partitions}

    @property
    def records(self) -> int:
        """Return how many records it holds."""
        return sum(segment.records for one in self.partitions for segment in one.segments)


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a folder holds; None if there is no backup in it.

    Raises:
        BackupUnusable: it is of another format.
    """
    try:
        found = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise BackupUnusable(f"{folder / NAME} cannot be read: {error}") from error
    if found.format != FORMAT:
        raise BackupUnusable(f"{folder} holds a backup of format {found.format}; this release reads {FORMAT}")
    return found


def need_manifest(folder: Path) -> Manifest:
    """Return what a folder holds; raises BackupUnusable."""
    found = read_manifest(folder)
    if found is None:
        raise BackupUnusable(f"{folder} holds no backup (no {NAME})")
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the backup count, in one step."""
    draft = folder / f"{NAME}.new"
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def check_digests(folder: Path, manifest: Manifest) -> int:
    """Compare every file with its digest and return how many there are.

    Raises:
        BackupUnusable: files are missing or differ; the message names the first.
    """
    wanted = {segment.file: segment.sha256 for one in manifest.partitions for segment in one.segments}
    wanted |= {f"{manifest.tables.folder}/{file}": digest for file, digest in manifest.tables.sha256.items()} | manifest.artefacts
    wrong = [file for file, digest in sorted(wanted.items()) if not _is_whole(folder / file, digest)]
    if wrong:
        raise BackupUnusable(f"{len(wrong)} file(s) of {folder} are missing or damaged, the first is {wrong[0]}")
    return len(wanted)


def records_of(folder: Path, partition: Partition) -> Iterator[Incoming]:
    """Yield the records of one partition, in order."""
    for segment in partition.segments:
        yield from read_segment(folder / segment.file, partition.place)


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest
