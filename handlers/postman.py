"""The postman: reads messages back from the log, checks each at its recipient's door, and fills mailboxes, in one durable fold.

What became of a message is a fact of its conversation, written in the transaction that put it into a mailbox or did not.
"""

from asyncio import Event as Flag
from asyncio import TaskGroup, sleep
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from bus.reader import MakeReader, PartitionReader
from events.aside import dead_letter
from events.conversation import EVERYBODY, MessageDelivered, MessageRefused, MessageSent, MessageSettled, Settled
from events.errors import EventError
from events.event import Event, Fact
from events.stamp import caused
from events.topics import CONVERSATIONS, DEFAULT_TENANT, Names
from events.wire import Incoming, Outgoing, decode, encode, event_type
from handlers.count import Count
from handlers.postroom import Delivered, Parked, Room, Verdict
from handlers.turn import take_turn
from store import mailbox, outbox, sender_key
from store.fold import DurableFold, MakeFold
from store.follow import follow
from store.postgres import Connect, Connection, connect

CONSUMER = "postman"  # stored beside the positions
SOURCE = "smolit/postman"
ROOM = 10_000  # messages that a mailbox holds before senders are refused
SWEEP_S = 0.5
_SENT = MessageSent.event_type.wire_name
Clock = Callable[[], datetime]


class Postman:
    """Applies batches of the log to the mailboxes."""

    def __init__(self, names: Names, clock: Clock, count: Count, room: int = ROOM) -> None:
        self._names, self._clock, self._count, self._room = names, clock, count, room

    async def apply(self, connection: Connection, records: Sequence[Incoming]) -> None:
        """Judge the messages of a batch in the caller's transaction, in the order of the log; repeats fall away."""
        events = await self._sent(connection, records)
        by_tenant: dict[str, list[Event[MessageSent]]] = defaultdict(list)
        for event in events:
            by_tenant[event.fact.tenant].append(event)
        for tenant, of_tenant in sorted(by_tenant.items()):
            room = await self._look(connection, tenant, of_tenant)
            judged = [(event, room.judge(event)) for event in of_tenant]
            await self._carry_out(connection, tenant, judged)

    async def sweep(self, connection: Connection) -> int:
        """Record what nobody handled before it expired; return how much."""
        async with connection.transaction():
            late = await mailbox.expired(connection, 500)
            records = [settled(one.event, one.recipient, "expired", None, SOURCE, self._names, self._clock()) for one in late]
            await outbox.put(connection, records)
        self._count("postman.expired", len(late))
        return len(late)

    async def _sent(self, connection: Connection, records: Sequence[Incoming]) -> list[Event[MessageSent]]:
        """Return the messages of a batch that were not seen before; what cannot be read is set aside."""
        found: dict[str, Event[MessageSent]] = {}
        for record in records:
            if event_type(record.headers) not in (_SENT, None):
                continue
            try:
                event = decode(record.headers, record.value)
            except EventError as error:
                letter = dead_letter(record, "dispatch", DEFAULT_TENANT, error.code, str(error), self._names, self._clock())
                await outbox.put(connection, [letter])
                self._count("postman.dead_letter", 1)
                continue
            if isinstance(event.fact, MessageSent):
                found.setdefault(event.id, Event(event.envelope, event.fact))
        fresh = await DurableFold(CONSUMER, connection).fresh(list(found)) if found else set()
        return [event for event_id, event in found.items() if event_id in fresh]

    async def _look(self, connection: Connection, tenant: str, events: Sequence[Event[MessageSent]]) -> Room:
        letters = [event.fact.letter for event in events]
        everybody = await sender_key.senders(connection, tenant) if any(one.recipient == EVERYBODY for one in letters) else []
        named = {one.message_id for one in letters} | {one.in_reply_to for one in letters if one.in_reply_to}
        return Room(
            tenant,
            await sender_key.keys_of(connection, tenant, {one.sender for one in letters}),
            await mailbox.known(connection, tenant, named),
            await mailbox.opened(connection, tenant, {one.conversation_id for one in letters}),
            await mailbox.depth(connection, tenant, {one.recipient for one in letters} | set(everybody)),
            everybody,
            self._room,
        )

    async def _carry_out(self, connection: Connection, tenant: str, judged: Sequence[tuple[Event[MessageSent], Verdict]]) -> None:
        deliveries = [mailbox.Delivery(event, one.boxes) for event, one in judged if isinstance(one, Delivered)]
        answered = [one.answers for _, one in judged if isinstance(one, Delivered) and one.answers]
        await mailbox.deliver(connection, deliveries, {tenant: answered} if answered else {})
        now = self._clock()
        await outbox.put(connection, [self._told(event, verdict, now) for event, verdict in judged])
        for _, verdict in judged:
            self._count(f"postman.{type(verdict).__name__.lower()}", 1)

    def _told(self, event: Event[MessageSent], verdict: Verdict, now: datetime) -> Outgoing:
        """Return the record that says what became of a message."""
        fact_of, letter = event.fact, event.fact.letter
        common = {"tenant": fact_of.tenant, "conversation_id": fact_of.conversation_id, "message_id": letter.message_id}
        match verdict:
            case Delivered(boxes=boxes):
                fact: Fact = MessageDelivered(**common, request_id=fact_of.request_id, recipients=boxes)
            case Parked(reason=reason):
                return settled(event, letter.recipient, "parked", reason, SOURCE, self._names, now)
            case refused:
                why = {"sender": letter.sender, "reason": refused.reason, "detail": refused.detail}
                fact = MessageRefused(**common, request_id=fact_of.request_id, **why)
        return record(event, fact, SOURCE, self._names, now)


def record(by: Event[MessageSent], fact: Fact, source: str, names: Names, now: datetime) -> Outgoing:
    """Return the record of a fact that follows from a message."""
    return encode(names.of(CONVERSATIONS), caused(fact, by.envelope, source=source, now=now))


def settled(
    event: Event[MessageSent], recipient: str, outcome: Settled, reason: str | None, source: str, names: Names, now: datetime
) -> Outgoing:
    """Return the record that a recipient is done with a message."""
    fact = MessageSettled(
        tenant=event.fact.tenant,
        conversation_id=event.fact.conversation_id,
        message_id=event.fact.letter.message_id,
        recipient=recipient,
        outcome=outcome,
        reason=reason,
    )
    return record(event, fact, source, names, now)


def places(names: Names) -> Iterable[tuple[str, int]]:
    """Return every partition that the postman reads."""
    return names.places(CONVERSATIONS)


async def run(
    kafka: str,
    dsn: str,
    names: Names,
    postman: Postman,
    stopped: Flag,
    *,
    connect: Connect = connect,
    make_reader: MakeReader = PartitionReader,
    make_fold: MakeFold = DurableFold,
) -> None:
    """Deliver until told to stop, after standing by while another one does; any error ends it.

    Raises:
        Fenced: another process moved a position of ours.
    """
    connection, sweeping = await connect(dsn, CONSUMER), await connect(dsn, CONSUMER)
    reader = make_reader(kafka, CONSUMER)
    try:
        if not await take_turn(connection, names, stopped, SWEEP_S, CONSUMER):
            return
        fold = make_fold(CONSUMER, connection)
        positions = await fold.positions(list(places(names)))
        await reader.start(positions)
        async with TaskGroup() as group:
            group.create_task(_sweep(postman, sweeping, stopped))
            await follow(reader, fold, positions, postman.apply, stopped.is_set)
    finally:
        await reader.stop()
        await sweeping.close()
        await connection.close()


async def _sweep(postman: Postman, connection: Connection, stopped: Flag) -> None:
    while not stopped.is_set():
        await postman.sweep(connection)
        await sleep(SWEEP_S)
