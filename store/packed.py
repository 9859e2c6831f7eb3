"""Columns of values as Postgres' binary arrays: one parameter a column, which neither side has to write out or parse as text.

Format: https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv).
"""

from collections.abc import Sequence
from struct import Struct as Layout
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from store.postgres import Connection

_HEAD = Layout("!iiIii").pack  # dimensions, whether there are nulls, type of the elements, how many, number of the first
_LENGTH = Layout("!i").pack
_NULL = _LENGTH(-1)
_BYTEA, _JSONB, _REAL = 17, 3802, 700  # of pg_type, the same in every Postgres
_JSONB_VERSION = b"\x01"


class Packed(bytes):
    """A parameter in Postgres' binary format; the statement has to say its type by a cast."""


class _PackedDumper(Dumper):
    """Hands a packed parameter on as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """Return the bytes themselves."""
        return bytes(obj)


async def execute(connection: Connection, statement: bytes, parameters: Sequence[Any]) -> None:
    """Run a statement whose parameters may be packed."""
    cursor = connection.cursor()
    cursor.adapters.register_dumper(Packed, _PackedDumper)
    await cursor.execute(statement, parameters)


def byteas(values: Sequence[bytes | None]) -> Packed:
    """Return a `bytea[]`."""
    return _array(_BYTEA, [_NULL if value is None else _LENGTH(len(value)) + value for value in values])


def jsonbs(values: Sequence[bytes | None]) -> Packed:
    """Return a `jsonb[]` of JSON texts."""
    return _array(_JSONB, [_NULL if value is None else _LENGTH(len(value) + 1) + _JSONB_VERSION + value for value in values])


def reals(numbers: NDArray[np.float16]) -> Packed:
    """Return a `real[]` of one dimension."""
    told = np.empty((numbers.size, 2), ">i4")
    told[:, 0] = 4  # bytes of each
    told[:, 1] = numbers.astype(">f4").view(">i4")
    return _array(_REAL, [told.tobytes()], numbers.size)


def _array(kind: int, elements: Sequence[bytes], size: int | None = None) -> Packed:
    """Return an array of one dimension, or one without any if it is empty."""
    count = len(elements) if size is None else size
    return Packed(_HEAD(1, 1, kind, count, 1) + b"".join(elements) if count else _HEAD(0, 0, kind, 0, 0)[:12])
