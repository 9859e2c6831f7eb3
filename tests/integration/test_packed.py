"""What is handed to Postgres in its binary formats is what it would have read from text."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import numpy as np

from store import copied
from store.packed import Packed, byteas, execute, jsonbs, reals
from store.postgres import Connection, connect
from tests.stacks import Namespace

_TIMES = [datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC), datetime(1969, 7, 20, 20, 17, tzinfo=timezone(timedelta(hours=-4)))]
_TEXTS = ["", "plain", "tab\tline\nback\\slash", "Grüße 🙂", "\\N"]
_NUMBERS = [0, -1, 2**63 - 1, -(2**63)]


async def test_arrays_are_read_as_they_were_told(namespace: Namespace) -> None:
    """Bytes, JSON and nulls come out as they went in; an empty array has no elements."""
    connection = await connect(namespace.postgres, "tests")
    try:
        assert await _told(connection, "bytea", byteas([b"", None, bytes(range(256))])) == [b"", None, bytes(range(256))]
        assert await _told(connection, "jsonb", jsonbs([b'{"b": [1.0, null]}', None, b"null"])) == [
            {"b": [1.0, None]},
            None,
            None,
        ]
        assert await _told(connection, "bytea", byteas([])) == []
    finally:
        await connection.close()


async def test_every_float16_is_the_same_number(namespace: Namespace) -> None:
    """A vector's numbers lose nothing on their way, zeros of both signs and the smallest included."""
    every = np.arange(2**16, dtype="<u2").view("<f2")
    finite = every[np.isfinite(every)]
    connection = await connect(namespace.postgres, "tests")
    try:
        found = np.array(await _told(connection, "real", reals(finite)), "<f2")
    finally:
        await connection.close()

    assert found.tobytes() == finite.tobytes()


async def test_a_binary_row_holds_what_was_told(namespace: Namespace) -> None:
    """Texts with everything that `COPY` escapes, extreme numbers, times of any zone, bytes, JSON and null."""
    digest, number = sha256(b"x").digest(), "0b5a1c9e-2f7d-5c1a-9d3e-8f6b4a2c1d0e"
    rows = [
        copied.row(
            7, copied.uuid(number), copied.text(text), copied.integer(-7), copied.bigint(amount), copied.time(moment),
            copied.jsonb(b'{"a": "\\\\ \\t"}'), copied.NULL if text == "\\N" else copied.binary(digest),
        )
        for text, amount, moment in zip(_TEXTS, [*_NUMBERS, 1], [*_TIMES, *_TIMES, _TIMES[0]], strict=True)
    ]  # fmt: skip
    connection = await connect(namespace.postgres, "tests")
    try:
        await connection.execute(
            "create temporary table told (i uuid, t text, n int, b bigint, at timestamptz, j jsonb, d bytea)"
        )
        async with connection.cursor().copy("copy told from stdin (format binary)") as copy:
            await copy.write(b"".join([copied.BEGIN, *rows, copied.END]))
        found = await (await connection.execute("select i::text, t, n, b, at, j, d from told")).fetchall()
    finally:
        await connection.close()

    assert [row[1] for row in found] == _TEXTS
    assert [row[3] for row in found] == [*_NUMBERS, 1]
    assert [row[4] for row in found] == [*_TIMES, *_TIMES, _TIMES[0]]
    assert {(row[0], row[2], row[5]["a"]) for row in found} == {(number, -7, "\\ \t")}
    assert [row[6] for row in found] == [digest, digest, digest, digest, None]


async def _told(connection: Connection, kind: str, told: Packed) -> list[Any]:
    """Return an array's elements, as a statement writes them into a table."""
    await connection.execute(f"create temporary table told as select null::{kind} as one with no data".encode())
    await execute(connection, f"insert into told select unnest(%s::{kind}[])".encode(), (told,))
    rows = await (await connection.execute("select one from told")).fetchall()
    await connection.execute("drop table told")
    return [row[0] for row in rows]
