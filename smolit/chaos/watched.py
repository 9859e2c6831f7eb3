"""Ports that pass points: what a process of the harness touches the world with instead of the plain ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from psycopg import AsyncConnection, AsyncCursor, AsyncTransaction
from psycopg.rows import TupleRow

from bus.producer import Published, Publisher
from events.wire import Incoming, Outgoing
from smolit.chaos.bomb import Bomb, Pass
from smolit.process.ports import Ports
from store.fold import DurableFold, Move
from store.postgres import Connection, opened
from streams.processor import Around, Processor

# A statement is known by a piece of its text; what a point is called stands beside it.
_STATEMENTS = (
    ("insert into ops.request_claim", "claim"),
    ("set state = 'running', worker", "claim"),
    ("insert into ops.effect", "ledger"),
    ("update ops.effect set state = %s", "settle"),
    ("set state = ended.outcome", "end"),
    ("update ops.outbox set published_at", "mark"),
    ("insert into ops.policy_snapshot", "snapshot"),
    ("update ops.team_plan set standing", "plan"),
)


def watched_ports(bomb: Bomb) -> Ports:
    """Return the ports of a process whose every step outward passes a point."""

    async def connect(dsn: str, application: str) -> Connection:
        connection = await opened(WatchedConnection, dsn, application)
        connection.passed = bomb.passed
        return connection

    return Ports(
        publisher=lambda kafka, client_id: WatchedPublisher(kafka, client_id, bomb.passed),
        connect=connect,
        fold=lambda consumer, connection: WatchedFold(consumer, connection, bomb.passed),
        http=lambda _hosts: httpx.AsyncClient(transport=WatchedTransport(bomb.passed)),
        processor=lambda processor: WatchedProcessor(processor, bomb.passed),
    )


def text_of(query: Any) -> str:
    """Return a statement as text, whatever form it was given in."""
    return query.decode() if isinstance(query, bytes) else str(query)


class WatchedConnection(AsyncConnection[TupleRow]):
    """Passes points around the statements that matter; inside a transaction the last ones come after its commit."""

    passed: Pass
    depth = 0
    done: tuple[str, ...] = ()

    async def execute(self, query: Any, params: Any = None, **options: Any) -> AsyncCursor[TupleRow]:
        """Run a statement."""
        label = _label(text_of(query))
        if label is None:
            return await super().execute(query, params, **options)
        self.passed(f"{label}.before")
        cursor = await super().execute(query, params, **options)
        if self.depth:
            self.done = (*self.done, label)
        else:
            self.passed(f"{label}.after")
        return cursor

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[AsyncTransaction]:
        """Run a transaction, or a part of one."""
        self.depth += 1
        try:
            async with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
                if self.depth == 1:
                    self._pass_all(self.done, "written")
        finally:
            self.depth -= 1
            done, self.done = self.done, self.done if self.depth else ()
        if not self.depth:
            self._pass_all(done, "after")

    def _pass_all(self, labels: Sequence[str], when: str) -> None:
        """Pass the points of everything that a transaction has done."""
        for label in dict.fromkeys(labels):
            self.passed(f"{label}.{when}")


class WatchedPublisher(Publisher):
    """Passes points around what is sent."""

    def __init__(self, kafka: str, client_id: str, passed: Pass) -> None:
        super().__init__(kafka, client_id)
        self._passed = passed

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Send records, if there are any."""
        if not records:
            return []
        self._passed("send.before")
        published = await super().publish(records)
        self._passed("send.after")
        return published


class WatchedFold(DurableFold):
    """Passes points around the commit of a step."""

    def __init__(self, consumer: str, connection: Connection, passed: Pass) -> None:
        super().__init__(consumer, connection)
        self._passed = passed
        self._stepping = False

    @asynccontextmanager
    async def step(self, moves: Iterable[Move]) -> AsyncIterator[Connection]:
        """Open the transaction of a step."""
        self._stepping = True
        try:
            async with super().step(moves) as connection:
                yield connection
                self._passed("commit.before")
            self._passed("commit.after")
        finally:
            self._stepping = False

    async def move(self, moves: Iterable[Move]) -> None:
        """Move positions; by themselves they are committed at once."""
        if self._stepping:
            return await super().move(moves)
        self._passed("commit.before")
        await super().move(moves)
        return self._passed("commit.after")


class WatchedProcessor(Around):
    """Passes points around the acknowledgement, which follows as soon as `passed` has returned."""

    def __init__(self, inner: Processor, passed: Pass) -> None:
        super().__init__(inner)
        self._pass = passed

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Move on; whoever called acknowledges before the loop comes to what is put on it here."""
        await super().passed(batch)
        self._pass("ack.before")
        asyncio.get_running_loop().call_soon(self._pass, "ack.after")


class WatchedTransport(httpx.AsyncHTTPTransport):
    """Passes points around a call of a service."""

    def __init__(self, passed: Pass) -> None:
        super().__init__()
        self._passed: Callable[[str], None] = passed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call the service."""
        self._passed("call.before")
        response = await super().handle_async_request(request)
        self._passed("call.after")
        return response


def _label(text: str) -> str | None:
    """Return what the points around a statement are called."""
    return next((label for piece, label in _STATEMENTS if piece in text), None)
