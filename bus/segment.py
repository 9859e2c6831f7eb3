"""Segments: a stretch of one partition in one compressed file, so that it outlives the broker and can be read without it.

Each record is a length (4 bytes, big-endian) and MessagePack of [offset, key, headers, value]; the whole is gzip, without
time or name, so that the same records give the same bytes.
"""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from bus.reader import Place
from events.wire import Headers, Incoming

_LENGTH = 4
_LEVEL = 6


class _Line(Struct, frozen=True, array_like=True):
    """One record as it is stored."""

    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Line)


class SegmentWriter:
    """Writes a segment beside its final name, where it moves when it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self.records = 0
        self._path, self._draft = path, path.with_name(f"{path.name}.new")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = open(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # noqa: SIM115 closed by `close`
        self._zip = gzip.GzipFile("", "wb", _LEVEL, self._file, mtime=0)

    def write(self, record: Incoming) -> None:
        """Add the next record of the partition."""
        line = _ENCODER.encode(_Line(record.offset, record.key, record.headers, record.value))
        self._zip.write(len(line).to_bytes(_LENGTH, "big") + line)
        self.records += 1

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)


def read_segment(path: Path, place: Place) -> Iterator[Incoming]:
    """Yield the records of a segment, in order."""
    with gzip.open(path, "rb") as unzipped:
        while line := _next(unzipped):
            yield Incoming(*place, line.offset, line.key, line.headers, line.value)


def _next(unzipped: BinaryIO | gzip.GzipFile) -> _Line | None:
    """Return the next record; None at the end."""
    length = unzipped.read(_LENGTH)
    return _DECODER.decode(unzipped.read(int.from_bytes(length, "big"))) if length else None
