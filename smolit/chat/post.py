"""The way into conversations: sign in with a key, send a message, and hear what becomes of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from bus.errors import LogChanged
from bus.reader import PartitionReader
from events.answer import RequestRefused
from events.conversation import Letter, MessageDelivered, MessageRefused, MessageSent, MessageSettled, Scope
from events.errors import EventError
from events.event import Event, Fact
from events.ids import new_id
from events.piece import PieceSpoken
from events.request import RegisterKey, SendMessage
from events.task import AgentChosen
from events.topics import ANSWERS, CONVERSATIONS, PIECES, TASKS
from events.wire import Incoming, decode, event_type
from projections.conversation import MessageRow, thread
from smolit.cli.desk import Desk, now
from smolit.client import Ask, Client, from_here, places_of
from smolit.errors import NothingFound
from smolit.errors import RequestRefused as Refused
from smolit.process.keys import keyring
from store import sender_key
from store.postgres import Connection

_HEARD = frozenset(
    cls.event_type.wire_name
    for cls in (MessageSent, MessageDelivered, MessageRefused, MessageSettled, AgentChosen, RequestRefused, PieceSpoken)
)
PERSON = Scope(kinds=("query", "clarification", "update"))


class Post:
    """Sends signed messages as one tenant, and follows conversations from when it was opened."""

    def __init__(
        self, desk: Desk, tenant: str, client: Client, reader: PartitionReader, connection: Connection, watch: bool = False
    ) -> None:
        self._pieces = places_of(desk.names, (PIECES,)) if watch else []
        self.desk, self.tenant, self.client, self.connection = desk, tenant, client, connection
        self._reader, self._keys = reader, keyring(desk.settings)
        self._signed_in: set[str] = set()

    async def sign_in(self, sender: str, scope: Scope = PERSON) -> None:
        """Let a sender's key be known; raises RequestRefused where another key than the one in our folder is."""
        if sender in self._signed_in:
            return
        key = self._keys.key(self.tenant, sender)
        known = await sender_key.keys_of(self.connection, self.tenant, [sender])
        if not any(row.key_id == key.name and row.replaced_at is None for row in known):
            if known:
                raise Refused(f"{sender} signs with another key than the one in this data folder; write under another name")
            await self.client.effect(Ask(RegisterKey(sender=sender, public_key=key.public, scope=scope)))
        self._signed_in.add(sender)

    async def send(self, letter: Letter, sender: str | None = None) -> str:
        """Send a message, signed by its sender's key (or, for whoever tries, another's); return the id of the request."""
        key = self._keys.key(self.tenant, sender or letter.sender)
        return (await self.client.send([Ask(SendMessage(letter=key.signed(self.tenant, letter)))]))[0].request_id

    async def rotate(self, sender: str) -> str:
        """Put a new key in the place of a sender's; return its id. Raises RequestRefused."""
        before, fresh = self._keys.key(self.tenant, sender), self._keys.fresh(self.tenant, sender)
        known = await sender_key.keys_of(self.connection, self.tenant, [sender])
        scope = known[-1].scope if known else PERSON
        proof = before.hands_over(self.tenant, fresh.public, scope) if known else ""
        await self.client.effect(Ask(RegisterKey(sender=sender, public_key=fresh.public, scope=scope, proof=proof)))
        self._keys.adopt(self.tenant, sender)
        return fresh.name

    async def leave_pieces(self) -> None:
        """Go past the pieces of other answers; those that nobody read in time are gone."""
        for place in self._pieces:
            await self._reader.to_end(place)

    async def _fetched(self) -> Sequence[Incoming]:
        """Return what comes next; pieces that are gone before we read them are let go, and anything else that is gone is not."""
        try:
            return await self._reader.fetch()
        except LogChanged:
            if not self._pieces:
                raise
            await self.leave_pieces()
            return await self._reader.fetch()

    async def heard(self, timeout_s: float) -> AsyncIterator[Event[Fact | PieceSpoken]]:
        """Yield what is said of this tenant's conversations and choices as it comes, with pieces where they are read."""
        end = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < end:
            for record in await self._fetched():
                if event_type(record.headers) not in _HEARD:
                    continue
                try:
                    fact = (event := decode(record.headers, record.value)).fact
                except EventError:
                    continue  # it has its dead letter elsewhere
                if isinstance(fact, Fact | PieceSpoken) and fact.tenant == self.tenant:
                    yield Event(event.envelope, fact)

    async def fate(self, letter: Letter, request_id: str, timeout_s: float) -> Fact | None:
        """Return what became of a message at its recipient's door; None if nothing did in time."""
        async for event in self.heard(timeout_s):
            fact = event.fact
            if isinstance(fact, PieceSpoken):
                continue
            if isinstance(fact, RequestRefused) and fact.request_id == request_id:
                return fact
            mine = isinstance(fact, MessageDelivered | MessageRefused | MessageSettled) and fact.message_id == letter.message_id
            if mine and fact.conversation_id == letter.conversation_id:  # type: ignore[attr-defined]
                return fact
        return None


@asynccontextmanager
async def open_post(desk: Desk, tenant: str, watch: bool = False) -> AsyncIterator[Post]:
    """Yield a way into conversations; `watch`: pieces of answers are heard, too."""
    topics = (CONVERSATIONS, TASKS, ANSWERS, *((PIECES,) if watch else ()))
    async with (
        from_here(desk.endpoints.kafka, desk.names, topics) as reader,
        desk.client(tenant) as client,
        desk.reading() as connection,
    ):
        yield Post(desk, tenant, client, reader, connection, watch)


async def known_thread(connection: Connection, tenant: str, conversation_id: str, user: str | None = None) -> list[MessageRow]:
    """Return a thread; one of another tenant, or of another user where one is named, is not found, like one that is not there.

    Raises:
        NothingFound: there is no such conversation for whoever asks.
    """
    rows = await thread(connection, tenant, conversation_id)
    first = next((row for row in rows if row.delivered_at is not None), None)
    if first is None or (user is not None and first.sender != user):
        raise NothingFound(f"no conversation {conversation_id!r} is known")
    return rows


def fresh_id(moment: datetime | None = None) -> str:
    """Return an id for a conversation or a message."""
    return new_id(moment or now(), os.urandom(10))
