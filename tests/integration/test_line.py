"""Only the sick key waits: behind a record that dispatch cannot read its key stands in line, and everything else flows."""

from collections.abc import Sequence

from events.dead_letter import DeadLetter
from events.event import Event, Fact
from events.replay import replayed
from events.wire import Headers, Incoming
from handlers.dispatch import CONSUMER, Dispatcher, Retry
from handlers.line import BEHIND
from store import held
from tests.builders import Log
from tests.integration.hands_kit import Floor, asked, chose, floor, now, task_id
from tests.stacks import Namespace

FUTURE = b"smolit.task.submitted.v99"


async def read(hall: Floor, records: Sequence[Incoming]) -> None:
    """Let a dispatch that was just started read records, in one batch."""
    dispatcher = Dispatcher(hall.roads, now, lambda: 0.0, Retry(), hall.count)
    async with hall.connection.transaction():
        await dispatcher.apply(hall.connection, records)


def sick(log: Log, event: Event[Fact]) -> Incoming:
    """Append a record as a newer release writes it: this one cannot read it."""
    log.add(event)
    good = log.records.pop()
    headers: Headers = tuple((name, FUTURE if name == "ce_type" else content) for name, content in good.headers)
    log.records.append(Incoming(good.topic, good.partition, good.offset, good.key, headers, good.value))
    return log.records[-1]


def healed(record: Incoming, event: Event[Fact]) -> Headers:
    """Return the headers of a replay, with a type that can be read: what a new release does to an old record."""
    kind = event.fact.event_type.wire_name.encode()
    return tuple((name, kind if name == "ce_type" else content) for name, content in replayed(record))


def replay(log: Log, record: Incoming, headers: Headers | None = None) -> Incoming:
    """Append a record again, as `dlq replay` publishes it."""
    log.raw(record.topic, record.key, headers or replayed(record), record.value)
    return log.records[-1]


async def letters(hall: Floor) -> list[tuple[str, int]]:
    """Return reason and place of every dead letter so far, in order."""
    return [(fact.reason, fact.origin_offset) for fact in await hall.sent(DeadLetter)]


async def test_only_the_key_of_a_sick_record_waits(namespace: Namespace) -> None:
    """Its choice is set aside behind it, other tasks are queued at once, and the replay queues it in order."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await hall.agent()
        log = Log(hall.names)
        first = sick(log, asked(1))
        log.add(chose(1), asked(2), chose(2))
        await read(hall, log.records)

        flowed, waited = await hall.state(2), await hall.state(1)
        aside = await letters(hall)
        choice = log.records[1]
        await read(hall, [replay(log, first, healed(first, asked(1)))])
        entered = await hall.state(1)
        await read(hall, [replay(log, choice)])

        assert flowed == ("open", [(1, "queued", 0)])
        assert waited == (None, [])
        assert aside == [("unknown_version", 0), (BEHIND, 1)]
        assert entered == ("open", [])
        assert await hall.state(1) == ("open", [(1, "queued", 0)])
        assert not await held.any_held(hall.connection, CONSUMER)


async def test_what_comes_while_a_key_waits_joins_the_end_of_its_line(namespace: Namespace) -> None:
    """Between two replays nothing of the key slips through, and a replay out of turn waits again."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await hall.agent()
        log = Log(hall.names)
        first = sick(log, asked(1))
        log.add(chose(1))
        choice = log.records[1]
        await read(hall, log.records)
        await read(hall, [replay(log, choice)])  # out of turn
        await read(hall, [replay(log, first)])  # no release has mended it
        key = (first.topic, first.key or b"")
        line = await held.lines(hall.connection, CONSUMER, [key])

        await read(hall, [replay(log, first, healed(first, asked(1)))])
        log.add(chose(1, attempt=2))
        await read(hall, [log.records[-1]])  # comes between the two replays
        between = await hall.state(1)
        await read(hall, [replay(log, choice)])
        after = await hall.state(1)
        await read(hall, [replay(log, log.records[-2])])

        assert line == {key: [f"{first.topic}/0/0", f"{first.topic}/0/1"]}
        assert [reason for reason, _ in await letters(hall)] == ["unknown_version", BEHIND, BEHIND, "unknown_version", BEHIND]
        assert between == ("open", [])
        assert after == ("open", [(1, "queued", 0)])
        assert (await hall.state(1))[1] == [(1, "queued", 0), (2, "queued", 0)]


async def test_a_record_that_was_given_up_holds_nobody_up(namespace: Namespace) -> None:
    """Purged, it leaves the line; a batch that dispatch reads once more changes nothing."""
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        log = Log(hall.names)
        first = sick(log, asked(1))
        await read(hall, log.records)
        await read(hall, log.records)
        once = await hall.value("select count(*) from ops.held_record")
        await held.leave(hall.connection, [first.origin])
        log.add(asked(1))
        await read(hall, log.records[1:])

        assert once == 1
        assert (await hall.state(1))[0] == "open"
        assert task_id(1).encode() == first.key
