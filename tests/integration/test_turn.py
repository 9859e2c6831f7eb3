"""Of all processes of one kind one works, on a real Postgres; those of older releases count, too."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from events.topics import Names
from handlers.turn import take_turn
from store.postgres import Connection, connect
from tests.stacks import Namespace

# As releases before wrote their locks down, each for itself.
OLD = "select pg_try_advisory_lock(hashtextextended('smolit.{kind}.' || %s, 0))"


async def opened(stack: AsyncExitStack, dsn: str) -> Connection:
    """Return a connection that is closed in the end, if it was not before."""
    connection = await connect(dsn, "turn")
    stack.push_async_callback(connection.close)
    return connection


@pytest.mark.parametrize("kind", ["dispatch", "postman", "ingest", "supervisor", "bridge"])
async def test_one_works_and_the_next_takes_over(kind: str, namespace: Namespace) -> None:
    """Whoever stands by begins once the other's connection is gone; other kinds and other prefixes are no matter."""
    names, stopped = Names(namespace.topic_prefix), asyncio.Event()
    async with AsyncExitStack() as stack:
        first, second, third = [await opened(stack, namespace.postgres) for _ in range(3)]

        assert await take_turn(first, names, stopped, 0.01, kind)
        waiting = asyncio.create_task(take_turn(second, names, stopped, 0.01, kind))
        older = await (await third.execute(OLD.format(kind=kind).encode(), (names.prefix,))).fetchone()
        assert await take_turn(third, names, stopped, 0.01, f"{kind} of another kind")
        assert await take_turn(third, Names(f"{names.prefix}.other"), stopped, 0.01, kind)
        assert not waiting.done()
        await first.close()

        assert await asyncio.wait_for(waiting, 30.0)
        assert older == (False,)


async def test_whoever_is_told_to_stop_gets_no_turn(namespace: Namespace) -> None:
    """Standing by ends at once."""
    names, stopped = Names(namespace.topic_prefix), asyncio.Event()
    async with AsyncExitStack() as stack:
        first, second = [await opened(stack, namespace.postgres) for _ in range(2)]
        assert await take_turn(first, names, stopped, 0.01, "dispatch")
        waiting = asyncio.create_task(take_turn(second, names, stopped, 0.01, "dispatch"))
        stopped.set()

        assert await asyncio.wait_for(waiting, 30.0) is False
