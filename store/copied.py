"""Rows in the binary format of `COPY`: Postgres takes them over without reading text, and nothing in them has to be escaped.

A field is its length and its bytes. Source: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from datetime import UTC, datetime, timedelta
from struct import Struct as Layout

BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, no extension of the head
END = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = Layout("!h").pack
_LENGTH = Layout("!i").pack
_INTEGER = Layout("!ii").pack
_BIGINT = Layout("!iq").pack
_UUID = _LENGTH(16)
_JSONB = Layout("!iB").pack  # its version follows the length


def row(columns: int, *fields: bytes) -> bytes:
    """Return a row of so many columns; one of the given pieces may hold several fields."""
    return _COLUMNS(columns) + b"".join(fields)


def text(content: str) -> bytes:
    """Return a text."""
    told = content.encode()
    return _LENGTH(len(told)) + told


def binary(content: bytes) -> bytes:
    """Return a bytea."""
    return _LENGTH(len(content)) + content


def integer(number: int) -> bytes:
    """Return an integer of 32 bits."""
    return _INTEGER(4, number)


def bigint(number: int) -> bytes:
    """Return an integer of 64 bits."""
    return _BIGINT(8, number)


def uuid(content: str) -> bytes:
    """Return a UUID from its usual form."""
    return _UUID + bytes.fromhex(content.replace("-", ""))


def time(moment: datetime) -> bytes:
    """Return a time that names its zone."""
    return _BIGINT(8, (moment - _EPOCH) // _MICROSECOND)


def jsonb(content: bytes) -> bytes:
    """Return a jsonb from its JSON text."""
    return _JSONB(len(content) + 1, 1) + content
