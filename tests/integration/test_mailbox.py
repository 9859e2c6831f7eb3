"""Mailboxes on a real Postgres: ten thousand messages, none lost, none twice, urgent ones first; expiry, leases, repeats."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg

from agents.signature import Key
from events.conversation import Letter, MessageDelivered, MessageRefused, MessageSent, MessageSettled, Scope
from events.event import Event
from events.stamp import stamp
from events.wire import Incoming, decode
from handlers.postman import Postman, settled
from store import mailbox, outbox, sender_key
from store.mailbox import Taken
from store.metadata import metadata
from store.migrate import engine
from store.postgres import Connection, connect
from tests.builders import NAMES, TENANT, Log
from tests.integration.hands_kit import make_tables, now
from tests.stacks import Namespace
from tests.talk import ANN, letter

MANY = 10_000


class Hall:
    """A postman with his tables, a log in memory, and what he told."""

    def __init__(self, connection: Connection, dsn: str, room: int) -> None:
        self.connection, self.dsn = connection, dsn
        self.counts: Counter[str] = Counter()
        self.postman = Postman(NAMES, now, self._count, room)
        self.log = Log(NAMES)

    def _count(self, what: str, times: int) -> None:
        self.counts[what] += times

    async def read(self, records: list[Incoming], batch: int = 500) -> None:
        """Let the postman read records, in batches."""
        for start in range(0, len(records), batch):
            async with self.connection.transaction():
                await self.postman.apply(self.connection, records[start : start + batch])

    async def told(self, kind: type) -> list[object]:
        """Return the facts of one kind that the outbox holds."""
        rows = await outbox.unpublished(self.connection, range(outbox.SHARDS), 10 * MANY)
        facts = [decode(row.record.headers, row.record.value).fact for row in rows]
        return [fact for fact in facts if isinstance(fact, kind)]

    async def settle(self, who: Connection, *taken: Taken) -> bool:
        """Handle messages, as a recipient does, in one transaction; false if one of them is not ours any more."""
        async with who.transaction() as transaction:
            for one in taken:
                if not await mailbox.settle(who, one):
                    raise psycopg.Rollback(transaction)
            facts = [settled(one.event, one.recipient, "handled", None, "tests", NAMES, now()) for one in taken]
            await outbox.put(who, facts)
            return True
        return False


@asynccontextmanager
async def hall(namespace: Namespace, room: int = MANY) -> AsyncIterator[Hall]:
    """Lend a postman whose tenant knows Ann's key."""
    make_tables(namespace.postgres)
    made = engine(namespace.postgres)
    metadata.create_all(made, tables=[sender_key.sender_key, mailbox.talk, mailbox.known_message, mailbox.mailbox])
    made.dispose()
    connection = await connect(namespace.postgres, "test")
    try:
        await sender_key.put(connection, sender_key.KeyRow(TENANT, ANN.sender, ANN.name, ANN.public, Scope(), None, None))
        yield Hall(connection, namespace.postgres, room)
    finally:
        await connection.close()


def sent_now(one: Letter, key: Key = ANN) -> Event[MessageSent]:
    """Return a message as intake publishes it now."""
    fact = MessageSent(
        tenant=TENANT, conversation_id=one.conversation_id, letter=key.signed(TENANT, one), request_id=f"request-{one.message_id}"
    )
    return stamp(fact, source="tests", now=now(), correlation=one.conversation_id, cause="tests")


async def test_ten_thousand_messages_are_handled_once_urgent_ones_first(namespace: Namespace) -> None:
    """Records come twice, several take at once, and every message is settled by exactly one of them."""
    rng = random.Random(7)
    async with hall(namespace) as here:
        for number in range(MANY):
            one = letter(f"m{number}", conversation_id=f"c{number % 100}", priority=rng.randrange(10))
            here.log.add(sent_now(one), partition=number % 100 % 8)
        records = [*here.log.records, *rng.sample(here.log.records, 500)]
        await here.read(records)
        order: list[list[tuple[int, str]]] = [[], [], []]

        async def handle(place: int) -> None:
            who = await connect(here.dsn, f"taker-{place}")
            while taken := await mailbox.take(who, f"taker-{place}", ["front"], 200, 60):
                assert await here.settle(who, *taken)
                order[place] += [(one.priority, one.letter.message_id) for one in taken]
            await who.close()

        await asyncio.gather(*(handle(place) for place in range(3)))

        handled = Counter(message for each in order for _, message in each)
        facts = await here.told(MessageSettled)
    assert (len(handled), set(handled.values())) == (MANY, {1})
    assert here.counts == {"postman.delivered": MANY}
    assert len(facts) == MANY
    assert all([priority for priority, _ in each] == sorted((one for one, _ in each), reverse=True) for each in order)


async def test_what_expires_before_it_is_handled_is_recorded_and_not_handled(namespace: Namespace) -> None:
    """Nobody takes it any more, and the sweep says what became of it."""
    async with hall(namespace) as here:
        soon = now() + timedelta(minutes=5)
        here.log.add(sent_now(letter("late", expires_at=soon)), sent_now(letter("kept")))
        await here.read(here.log.records)
        passed = "update ops.mailbox set expires_at = expires_at - interval '6 min' where message_id = 'late'"
        await here.connection.execute(passed)

        taken = await mailbox.take(here.connection, "w", ["front"], 10, 60)
        swept = await here.postman.sweep(here.connection)
        facts = await here.told(MessageSettled)
    assert [one.letter.message_id for one in taken] == ["kept"]
    assert swept == 1
    assert [(one.message_id, one.outcome) for one in facts if isinstance(one, MessageSettled)] == [("late", "expired")]


async def test_a_full_mailbox_refuses_and_takes_again_when_there_is_room(namespace: Namespace) -> None:
    """The refusal is a fact; one message handled is one more that is let in."""
    async with hall(namespace, room=3) as here:
        here.log.add(*(sent_now(letter(f"m{number}")) for number in range(5)))
        await here.read(here.log.records)
        refused = [one for one in await here.told(MessageRefused) if isinstance(one, MessageRefused)]
        assert await here.settle(here.connection, *await mailbox.take(here.connection, "w", ["front"], 1, 60))
        more = Log(NAMES).add(sent_now(letter("m9"))).records
        await here.read(more)
        delivered = [one.message_id for one in await here.told(MessageDelivered) if isinstance(one, MessageDelivered)]

    assert [(one.message_id, one.reason) for one in refused] == [("m3", "queue_full"), ("m4", "queue_full")]
    assert delivered == ["m0", "m1", "m2", "m9"]


async def test_who_is_late_finds_the_message_taken_by_another(namespace: Namespace) -> None:
    """A dead worker's lease runs out, the next one handles the message, and the dead one, back again, settles nothing."""
    async with hall(namespace) as here:
        here.log.add(sent_now(letter()))
        await here.read(here.log.records)
        first = (await mailbox.take(here.connection, "dead", ["front"], 1, 0.0))[0]
        second = (await mailbox.take(here.connection, "next", ["front"], 1, 60))[0]

        assert await here.settle(here.connection, second)
        assert not await here.settle(here.connection, first)
        assert not await mailbox.renew(here.connection, first, 60)
        assert len(await here.told(MessageSettled)) == 1
