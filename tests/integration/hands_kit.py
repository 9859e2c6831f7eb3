"""What the tests of the hands share: the tables, facts put into the queue, and what the outbox holds."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import psycopg

from events.agent import AgentSpec
from events.control import AgentState
from events.event import Event, Fact, Message
from events.ids import derived_id
from events.task import ChoiceContext, Step
from events.topics import Names
from events.wire import decode
from handlers.attempt import Tried
from handlers.desk import Desk
from handlers.dispatch import Dispatcher, Retry
from handlers.ending import Finish, Roads
from handlers.watchdog import Watchdog
from store import approval, blob, lease, ledger, outbox, room, team, work
from store.claim import Claimed
from store.fold import fold_inbox, fold_position
from store.generation import read_generation
from store.held import held_record
from store.intake import request_claim
from store.metadata import metadata
from store.migrate import engine
from store.postgres import Connection, connect
from store.remote import remote_attempt, remote_word, remote_worker
from store.restored import restored
from store.sender_key import sender_key
from tests import builders
from tests.builders import Log, chosen, context, registered, spec, submitted

F = TypeVar("F", bound=Message)

TABLES = (
    read_generation,
    fold_position,
    fold_inbox,
    held_record,
    request_claim,
    outbox.outbox,
    lease.relay_lease,
    work.work_task,
    work.work_attempt,
    work.work_agent,
    room.work_room,
    remote_word,
    remote_worker,
    remote_attempt,
    sender_key,
    approval.approval,
    ledger.effect,
    blob.blob,
    restored,
    team.team_plan,
    team.team_part,
)


def now() -> datetime:
    """Return the time: leases and deadlines are compared with Postgres's clock, so these tests live in the present."""
    return datetime.now(UTC)


def task_id(number: int) -> str:
    """Return the id of a numbered task."""
    return derived_id("hands", number)


def make_tables(dsn: str) -> None:
    """Make the operational tables that the hands use."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create schema if not exists ops")
    made = engine(dsn)
    metadata.create_all(made, tables=list(TABLES))
    made.dispose()


class Floor:
    """A work queue on a real Postgres, fed with facts as dispatch would read them."""

    def __init__(self, dsn: str, connection: Connection, names: Names, reply_topics: frozenset[str]) -> None:
        self.dsn = dsn
        self.connection = connection
        self.names = names
        self.counts: Counter[str] = Counter()
        self.roads = Roads(names, reply_topics, "smolit/worker")
        self._log = Log(names)

    def count(self, outcome: str, times: int) -> None:
        """Count an outcome."""
        self.counts[outcome] += times

    async def tell(self, *events: Event[Fact], retry: Retry | None = None) -> None:
        """Let dispatch read these facts, in one batch."""
        before = len(self._log.records)
        self._log.add(*events)
        dispatcher = Dispatcher(self.roads, now, lambda: 0.0, retry or Retry(), self.count)
        async with self.connection.transaction():
            await dispatcher.apply(self.connection, self._log.records[before:])
        await dispatcher.ring(self.connection)

    async def tell_again(self) -> None:
        """Let dispatch read everything once more, as after a lost position."""
        dispatcher = Dispatcher(self.roads, now, lambda: 0.0, Retry(), self.count)
        async with self.connection.transaction():
            await dispatcher.apply(self.connection, self._log.records)

    async def agent(self, agent_id: str = "calculator", state: AgentState = "active", **fields: Any) -> None:
        """Enter an agent in a state."""
        await work.put_agent(self.connection, builders.TENANT, spec(agent_id, **fields), "digest", False)
        if state != "active":
            await work.set_agent(self.connection, builders.TENANT, agent_id, state)

    def desk(self, worker: str = "w1", lease_s: float = 30.0, connection: Connection | None = None) -> Desk:
        """Return a worker's desk."""
        return Desk(connection or self.connection, worker, self.roads, now, lease_s)

    async def claim(self, worker: str = "w1", limit: int = 100, lease_s: float = 30.0) -> list[Claimed]:
        """Claim as a worker that serves every agent."""
        return (await self.desk(worker, lease_s).turn((), None, limit)).claimed

    async def end(self, *finishes: Finish, worker: str = "w1") -> list[str]:
        """End attempts as a worker, and return the named outcomes."""
        return list((await self.desk(worker).turn([Tried(finish) for finish in finishes], None, 0)).outcomes)

    async def sweep(self) -> dict[str, int]:
        """Let the watchdog do a round."""
        swept = await Watchdog(self.connection, self.roads, now).sweep()
        return {str(what): times for what, times in swept.items() if times}

    async def sent(self, kind: type[F]) -> list[F]:
        """Return the facts of one kind that the outbox holds, in order."""
        return [event.fact for event in await self.outbox() if isinstance(event.fact, kind)]

    async def outbox(self) -> list[Event[Message]]:
        """Return every event that the outbox holds, in order."""
        rows = await outbox.unpublished(self.connection, range(outbox.SHARDS), 100_000)
        return [decode(row.record.headers, row.record.value) for row in rows]

    async def value(self, query: Any, *parameters: Any) -> Any:
        """Return the one value that a query gives."""
        row = await (await self.connection.execute(query, parameters)).fetchone()
        return row[0] if row else None

    async def state(self, number: int = 1) -> tuple[str, list[tuple[int, str, int]]]:
        """Return a task's state, and attempt, state and epoch of its attempts."""
        task = await self.value("select state from ops.work_task where task_id = %s", task_id(number))
        query = "select attempt, state, epoch from ops.work_attempt where task_id = %s order by attempt"
        return task, await (await self.connection.execute(query, (task_id(number),))).fetchall()


@asynccontextmanager
async def floor(dsn: str, prefix: str = "test", reply_topics: Sequence[str] = ()) -> AsyncIterator[Floor]:
    """Lend a work queue."""
    make_tables(dsn)
    connection = await connect(dsn, "test")
    try:
        yield Floor(dsn, connection, Names(prefix), frozenset(reply_topics))
    finally:
        await connection.close()


def asked(number: int = 1, deadline_s: float = 3600, **fields: Any) -> Event[Fact]:
    """Return a numbered task's submission, due so many seconds from now."""
    return submitted(task_id(number), deadline=now() + timedelta(seconds=deadline_s), **fields)


def chose(number: int = 1, agent: str = "calculator", attempt: int = 1, **fields: Any) -> Event[Fact]:
    """Return the choice of an agent for a numbered task; `fields` belong to its context."""
    return chosen(agent, task_id(number), attempt, context=choice_context(**fields))


def choice_context(**fields: Any) -> ChoiceContext:
    """Return a context that is due in an hour."""
    return context(**{"deadline": now() + timedelta(hours=1), **fields})


def joined(agent: AgentSpec) -> Event[Fact]:
    """Return an agent's registration."""
    return registered(agent.id, spec=agent)


def done(claimed: Claimed, output: Any = None) -> Finish:
    """Return the success of an attempt."""
    raw = msgspec.Raw(msgspec.json.encode(output if output is not None else {"answer": 2}))
    return Finish(claimed, "completed", 1500, steps=(Step("compute", 1400),), output=raw)


def failed(claimed: Claimed, reason: str = "not_arithmetic") -> Finish:
    """Return the failure of an attempt."""
    return Finish(claimed, "failed", 700, reason=reason, detail="it did not work")


def ids(events: Sequence[Event[Message]], kind: type[Message]) -> list[str]:
    """Return the ids of the events of one kind."""
    return [event.id for event in events if isinstance(event.fact, kind)]


Draw = Callable[[], float]
