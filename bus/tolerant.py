"""Records whose header names are no UTF-8: some clients can write them, aiokafka refuses the whole batch they are in.

Anybody who may write to a topic could stop its readers that way. So a batch that aiokafka cannot read is read once more with
each such byte replaced by `?`: the name is then one that nobody looks for, and the rest of the record is judged as ever.
aiokafka has no public way to do this; what is used of it is pinned by the lock file and tested against a real broker.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint


class TolerantBatch:
    """One record batch, as aiokafka reads it, or with its header names made readable."""

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._batch: Any = DefaultRecordBatch(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        """Return the records; the whole batch is read, so that none is returned twice."""
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(_readable(self._raw))

    def __next__(self) -> Any:
        return next(self._batch)


def tolerate() -> None:
    """Let every consumer of this process read such records; calling it again changes nothing."""
    memory_records.DefaultRecordBatch = TolerantBatch
    fetcher.MemoryRecords = memory_records._MemoryRecordsPy


def _readable(raw: memoryview) -> list[Any]:
    """Return the records of a batch, its header names made ASCII."""
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    at = batch._pos
    for _ in range(batch._num_records):
        at = _rename_headers(batch._buffer, at)
    return list(batch)


def _rename_headers(buffer: bytearray, at: int) -> int:
    """Replace what is no UTF-8 in the header names of the record at this place, byte by byte; return where the next begins.

    Source of the layout: https://kafka.apache.org/documentation/#recordformat (version 2).
    """
    length, at = decode_varint(buffer, at)
    end: int = at + length
    for _ in ("attributes", "timestamp", "offset"):
        _, at = decode_varint(buffer, at)
    for _ in ("key", "value"):
        at = _behind(buffer, at)
    count, at = decode_varint(buffer, at)
    for _ in range(count):
        size, at = decode_varint(buffer, at)
        buffer[at : at + size] = _ascii(bytes(buffer[at : at + size]))
        at = _behind(buffer, at + size)
    return end


def _behind(buffer: bytearray, at: int) -> int:
    """Return the place behind a length and as many bytes; a negative length means that there are none."""
    size, at = decode_varint(buffer, at)
    behind: int = at + max(0, size)
    return behind


def _ascii(name: bytes) -> bytes:
    """Return a name of the same length that can be read: as it is, or with `?` for each byte beyond ASCII."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return bytes(byte if byte < 0x80 else ord("?") for byte in name)
    return name
