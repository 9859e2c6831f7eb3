"""What becomes of dead letters: their records go back to their topics in the order of the log, or they are given up.

Each end is a fact beside the letter. First the records, then the facts: killed in between, a letter still waits, and
replayed once more it is a repeat like any other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast

from msgspec import Struct

from bus.producer import Published, Publisher
from events.dead_letter import DeadLetterSettled, Settlement, Stage
from events.ids import request_key, task_id
from events.replay import first_place, replayed, replays
from events.stamp import stamp
from events.topics import DEFAULT_TENANT, Names
from events.wire import Outgoing, encode, envelope_of
from projections.dead_letter import DeadLetterRow
from projections.event_log import is_known
from store import held
from store import intake as claims
from store.postgres import Connection

SOURCE = "smolit/dlq"
BATCH = 200
# What learning makes of feedback that waited too long: no record of its own, so there is nothing to publish again.
_NO_RECORD = "task_never_came"


class Sick(Struct, frozen=True):
    """One record that was set aside, with every letter about it: two stages may have read it in vain."""

    letters: tuple[DeadLetterRow, ...]

    @property
    def one(self) -> DeadLetterRow:
        """Return the first of its letters; all hold the same record."""
        return self.letters[0]

    @property
    def replays(self) -> int:
        """Return how often the record has been replayed."""
        return replays(self.one.record.headers)


class Plan(NamedTuple):
    """What a replay does: records to publish, in order, and what stays, each with the reason."""

    again: list[Sick]
    left: list[tuple[Sick, str]]


def plan(letters: Sequence[DeadLetterRow], most: int | None) -> Plan:
    """Return what can be replayed, at most so many times each; behind one that stays, its key stays too."""
    made = Plan([], [])
    stuck: set[tuple[str, bytes | None]] = set()
    for sick in _in_order(letters):
        key = (sick.one.origin_topic, sick.one.record.key)
        why = _why_not(sick, most) or ("an earlier record of its key stays" if key in stuck else None)
        if why:
            stuck.add(key)
            made.left.append((sick, why))
        else:
            made.again.append(sick)
    return made


async def replay(
    publisher: Publisher, connection: Connection, names: Names, now: datetime, sick: Sequence[Sick]
) -> list[Published]:
    """Publish records again, each as it was but for its replay headers, and settle their letters."""
    places: list[Published] = []
    for first in range(0, len(sick), BATCH):
        batch = sick[first : first + BATCH]
        for one in batch:
            await _let_in(connection, names, one.one)
        sent = await publisher.publish([_again(one) for one in batch])
        ends = [(one, f"{at.topic}/{at.partition}/{at.offset}") for one, at in zip(batch, sent, strict=True)]
        await publisher.publish([end for one, at in ends for end in settlements(one, "replayed", names, now, at)])
        places += sent
    return places


async def purge(publisher: Publisher, connection: Connection, names: Names, now: datetime, sick: Sequence[Sick]) -> None:
    """Give records up: their letters are settled, and nobody waits behind them any longer."""
    await publisher.publish([end for one in sick for end in settlements(one, "purged", names, now)])
    await held.leave(connection, [first_place(one.one.record) for one in sick])


def settlements(sick: Sick, outcome: Settlement, names: Names, now: datetime, replayed_as: str | None = None) -> list[Outgoing]:
    """Return the facts that settle every letter of a record."""
    return [_settlement(letter, outcome, names, now, replayed_as) for letter in sick.letters]


def grouped(letters: Sequence[DeadLetterRow]) -> list[Sick]:
    """Return the records that letters are about, each once."""
    found: dict[str, list[DeadLetterRow]] = {}
    for letter in letters:
        found.setdefault(letter.origin, []).append(letter)
    return [Sick(tuple(about)) for about in found.values()]


def _in_order(letters: Sequence[DeadLetterRow]) -> list[Sick]:
    """Return records in the order in which they first came: one that was replayed before still stands before the later ones."""
    return sorted(grouped(letters), key=lambda sick: _place(first_place(sick.one.record)))


def _place(origin: str) -> tuple[str, int, int]:
    """Return an origin as a place that sorts as the log does."""
    topic, partition, offset = origin.rsplit("/", 2)
    return topic, int(partition), int(offset)


def _why_not(sick: Sick, most: int | None) -> str | None:
    """Return why a record cannot be replayed, if it cannot."""
    if sick.one.reason == _NO_RECORD:
        return "it is feedback without a task and no record of its own; give it anew with `smolit feedback give`"
    if most is not None and sick.replays >= most:
        return f"it was replayed {sick.replays} times already, and {most} are allowed (SMOLIT_MAX_REPLAYS); --force tries again"
    return None


async def _let_in(connection: Connection, names: Names, letter: DeadLetterRow) -> None:
    """Let go of a refused request's claim, or intake would take its replay for a repeat.

    One whose task is known after all keeps it: the repeat that intake sees is what it is.
    """
    sender = envelope_of(letter.record.headers, letter.original_value) if letter.stage == "intake" else None
    if sender is None:
        return
    tenant = names.tenant_of(letter.origin_topic)
    if not await is_known(connection, task_id(tenant, sender.source, sender.id)):
        await claims.release(connection, request_key(tenant, sender.source, sender.id), letter.origin)


def _again(sick: Sick) -> Outgoing:
    """Return the record for its topic."""
    record = sick.one.record
    return Outgoing(record.topic, record.key or b"", replayed(record), record.value or b"")


def _settlement(letter: DeadLetterRow, outcome: Settlement, names: Names, now: datetime, replayed_as: str | None) -> Outgoing:
    """Return the fact that settles one letter."""
    fact = DeadLetterSettled(
        tenant=letter.tenant or DEFAULT_TENANT,
        stage=cast(Stage, letter.stage),
        origin_topic=letter.origin_topic,
        origin_partition=letter.origin_partition,
        origin_offset=letter.origin_offset,
        original_key=letter.original_key or "",
        outcome=outcome,
        replayed_as=replayed_as,
    )
    event = stamp(fact, source=SOURCE, now=now, correlation=letter.original_key or letter.origin, cause=letter.origin)
    return encode(names.dead_letters_of(letter.origin_topic), event)
