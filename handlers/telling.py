"""Telling an answer while it is being made: pieces to whoever watches, gathered, numbered, and let go when they would be late.

Nothing rests on them: the answer is written once, by `handlers/front.py`, and whoever missed a piece reads it there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from agents.telling import Tell
from bus.errors import BusError
from bus.producer import MakePublisher, Publisher
from events.event import Envelope, Event, Message
from events.ids import derived_id
from events.piece import MOST_CHARS, PieceSpoken
from events.topics import PIECES, Names
from events.wire import Outgoing, encode
from handlers.count import Count
from store.mailbox import Taken

WATCHED = "watched"  # in the body of a message: its sender shows pieces
SOURCE = "smolit/front"
GATHER_S = 0.08  # a dozen records a second and answer at most, whatever the model's speed
LATE_S = 2.0  # a piece that takes longer to its topic is not news; the rest of this telling is left out


class Teller:
    """Publishes pieces through a producer of its own, opened at the first telling: a house in which nobody watches has none."""

    def __init__(
        self, kafka: str, who: str, names: Names, make: MakePublisher, clock: Callable[[], datetime], count: Count
    ) -> None:
        self._kafka, self._who, self._names, self._make = kafka, who, names, make
        self._clock, self._count = clock, count
        self._publisher: Publisher | None = None
        self._opening = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def telling(self, taken: Taken) -> AsyncIterator[Tell]:
        """Yield what takes the pieces of one answer; it never waits and never fails, and ends with the answer."""
        one = _Telling()

        def tell(piece: str) -> None:
            one.add(piece)
            if one.waiting and one.sending is None and not one.over:
                one.sending = asyncio.create_task(self._send(taken, one))
                self._under_way.add(one.sending)
                one.sending.add_done_callback(self._under_way.discard)

        try:
            yield tell
        finally:
            one.over = True  # what is still gathered comes with the answer

    async def stop(self) -> None:
        """Let go of what is under way, and disconnect."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._close()

    async def _send(self, taken: Taken, one: "_Telling") -> None:
        """Publish what was gathered, turn by turn, until the answer is there; the first piece goes at once."""
        try:
            while not one.over:
                if one.waiting:
                    record = piece(taken, one.number, one.take(), self._names, self._clock())
                    async with asyncio.timeout(LATE_S):
                        await (await self._open()).publish([record])
                await asyncio.sleep(GATHER_S)
        except (BusError, TimeoutError):
            one.over = True
            self._count("front.telling_given_up", 1)
            await self._close()  # the next telling tries again, with a new producer

    async def _open(self) -> Publisher:
        async with self._opening:
            if self._publisher is None:
                publisher = self._make(self._kafka, f"{self._who}-telling")
                await publisher.start()
                self._publisher = publisher
            return self._publisher

    async def _close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.stop()


class _Telling:
    """Where one telling stands: what waits to be sent, and how many pieces went before."""

    def __init__(self) -> None:
        self.waiting, self.number, self.over = "", 0, False
        self.sending: asyncio.Task[None] | None = None

    def add(self, text: str) -> None:
        """Gather; white space before the first word is no part of an answer."""
        self.waiting = (self.waiting + text).lstrip() if self.number == 0 else self.waiting + text

    def take(self) -> str:
        """Return what waits, as much of it as one piece may hold."""
        text, self.waiting = self.waiting[:MOST_CHARS], self.waiting[MOST_CHARS:]
        self.number += 1
        return text


def piece(taken: Taken, number: int, text: str, names: Names, now: datetime) -> Outgoing:
    """Return the record of one piece of the answer to a message."""
    letter, tenant = taken.letter, taken.event.fact.tenant
    fact = PieceSpoken(
        tenant=tenant,
        conversation_id=letter.conversation_id,
        message_id=letter.message_id,
        epoch=taken.epoch,
        number=number,
        text=text,
    )
    envelope = Envelope(
        id=derived_id("piece", tenant, letter.conversation_id, letter.message_id, taken.epoch, number),
        source=SOURCE,
        subject=letter.conversation_id,
        time=now,
        correlation_id=letter.conversation_id,
        causation_id=taken.event.id,
    )
    told: Event[Message] = Event(envelope, fact)
    return encode(names.of(PIECES), told)
