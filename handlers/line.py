"""Lines before dispatch: after a record that cannot be read, the records of its key wait behind it; all others flow.

A choice means nothing to dispatch before the submission, nor an end: were the later ones acted on, or passed over as
unknown, a replay of the first could not mend it. So they become dead letters behind it, and are replayed after it.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from events.errors import EventError
from events.replay import first_place
from events.wire import Incoming
from handlers.reading import urgency
from store import held
from store.held import Held
from store.postgres import Connection

BEHIND = "behind_a_dead_letter"


class Aside(Struct, frozen=True):
    """A record that is set aside, with the reason as a code and as a sentence."""

    record: Incoming
    reason: str
    detail: str


class Passage(Struct, frozen=True):
    """What became of a batch: what dispatch may read, and what is set aside; both in order."""

    through: list[Incoming]
    aside: list[Aside]


class Line:
    """The lines of one consumer. It alone makes them, so it knows without asking that there is none."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._some: bool | None = None

    async def admit(self, connection: Connection, records: Sequence[Incoming], unreadable: Mapping[str, EventError]) -> Passage:
        """Sort a batch, in the caller's transaction; `unreadable` says by origin what is wrong with a record."""
        if self._some is not False:
            self._some = await held.any_held(connection, self._consumer)
        passage = Passage([], [])
        if not (self._some or unreadable):
            passage.through.extend(records)
            return passage
        acted_on = [record for record in records if urgency(record) != "never"]
        lines = await held.lines(connection, self._consumer, sorted({_key(record) for record in acted_on}))
        read: list[str] = []
        for record in acted_on:
            _admit_one(record, lines.setdefault(_key(record), []), unreadable.get(record.origin), passage, read)
        await self._keep(connection, passage, read)
        return passage

    async def _keep(self, connection: Connection, passage: Passage, read: Sequence[str]) -> None:
        """Write down who waits now."""
        if read:
            await held.leave(connection, read, self._consumer)
        if passage.aside:
            self._some = True
            waits = [Held(one.record.topic, one.record.key or b"", first_place(one.record)) for one in passage.aside]
            await held.join(connection, self._consumer, waits)


def _admit_one(record: Incoming, line: list[str], wrong: EventError | None, passage: Passage, read: list[str]) -> None:
    """Let one record through, or put it in its line; `read` gets the place of one that leaves its line."""
    place = first_place(record)
    if line and line[0] != place:
        detail = f"an earlier record of this key, {line[0]}, could not be read; replay that one first"
        passage.aside.append(Aside(record, BEHIND, detail))
    elif wrong:
        passage.aside.append(Aside(record, wrong.code, str(wrong)))
    else:
        passage.through.append(record)
        read += line[:1]
        del line[:1]
        return
    if place not in line:
        line.append(place)


def _key(record: Incoming) -> held.Key:
    return record.topic, record.key or b""
