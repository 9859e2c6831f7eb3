"""Connections: a transaction that stands still frees its locks, and a reader may take its time."""

import asyncio

import psycopg
import pytest

from store.postgres import Connection, connect, snapshot
from tests.stacks import Namespace

_DEADLINE_S = 30.0


async def test_a_transaction_that_stands_still_is_ended_and_frees_its_locks(namespace: Namespace) -> None:
    """A process that stops in the middle of a transaction does not keep others from its rows for ever."""
    sleeper, other = await connect(namespace.postgres, "sleeper"), await connect(namespace.postgres, "other")
    try:
        await other.execute("create table lock_test (id int primary key)")
        await other.execute("insert into lock_test values (1)")
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            await _stand_still(sleeper, other)
    finally:
        await sleeper.close()
        await other.close()


async def _stand_still(sleeper: Connection, other: Connection) -> None:
    """Lock a row, do nothing until somebody else has it, and go on."""
    async with sleeper.transaction():
        await sleeper.execute("select from lock_test for update")
        async with asyncio.timeout(_DEADLINE_S):
            await other.execute("select from lock_test for update")
        await sleeper.execute("select 1")


async def test_a_reader_of_one_moment_may_pause_and_writes_nothing(namespace: Namespace) -> None:
    """Comparing large tables takes longer than a writer may pause; writing there is refused."""
    connection = await connect(namespace.postgres, "reader")
    try:
        async with snapshot(connection):
            row = await (await connection.execute("show idle_in_transaction_session_timeout")).fetchone()
        after = await (await connection.execute("show idle_in_transaction_session_timeout")).fetchone()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with snapshot(connection):
                await connection.execute("create table never (id int)")
    finally:
        await connection.close()

    assert (row, after) == (("0",), ("10s",))
