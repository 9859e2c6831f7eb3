"""The front agent at work: takes messages out of its mailbox, has them answered, and writes each answer once.

Agents that are there have their mail done in the same way, each under its own key (`handlers/agent_mail.py`).

The answer, what was learned and that the message was handled are one transaction, so any worker may take the next turn, after a
restart as well.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from agents.port import Language
from agents.signature import Key, Keyring
from events.conversation import REPLIES, Letter, MessageSent, Scope, Settled
from events.ids import derived_id
from events.request import RegisterKey
from events.topics import Names
from events.wire import Outgoing
from handlers.agent_mail import AgentMail
from handlers.count import Count
from handlers.errand import SOURCE, Errands
from handlers.front_port import FRONT, READ_S, Mind, Reads, Reply
from handlers.postman import record, settled
from handlers.reply import Replier, TellingOf
from store import blob, mailbox, outbox, sender_key
from store.doorbell import Doorbell
from store.mailbox import Taken
from store.postgres import Connect, Connection, connect

LEASE_S, POLL_S, LIMIT = 30.0, 0.5, 8
FOR_AGENTS = 4  # of what is under way, while agents have mail: people wait for no agent's


class KeyForeign(Exception):
    """Somebody else's key is registered as ours, so nothing that we sign reaches anybody."""


_UNSAID = Reply("error", "", {"sort": "key_foreign"})


class Front:
    """Takes and settles messages; several may be under way."""

    def __init__(
        self,
        names: Names,
        reads: Reads,
        mind: Callable[[], Mind],
        language: Language | None,
        errands: Errands,
        keyring: Keyring,
        connection: Connection,
        clock: Callable[[], datetime],
        count: Count,
        telling: TellingOf | None = None,
        reader: str = "",
        lease_s: float = LEASE_S,
    ) -> None:
        self._names, self._errands, self._keyring, self._connection = names, errands, keyring, connection
        self._clock, self._count, self._lease_s = clock, count, lease_s
        self._lock = asyncio.Lock()  # of the connection: one transaction at a time
        self._agents = AgentMail(reads, errands, self._stored, clock)
        self._signed_in: set[tuple[str, str]] = set()
        self._replier = Replier(reads, mind, language, errands, self._stored, clock, telling, reader)

    async def take(self, who: str, limit: int) -> list[Taken]:
        """Take messages that wait."""
        async with self._lock:
            return await mailbox.take(self._connection, who, [FRONT], limit, self._lease_s)

    async def take_for_agents(self, who: str, limit: int) -> list[Taken]:
        """Take messages that wait for agents."""
        async with self._lock:
            addresses = await self._agents.addresses(self._connection, FRONT)
            taken: list[Taken] = []
            for one in addresses:
                room = limit - len(taken)
                if room > 0:
                    taken += await mailbox.take(self._connection, who, [one.recipient], room, self._lease_s, one.tenant)
            return taken

    async def answer(self, taken: Taken) -> None:
        """Answer a message and settle it, once: who finds it taken by somebody else writes nothing."""
        beat = asyncio.create_task(self._renew(taken))
        try:
            reply = await (self._replier if taken.recipient == FRONT else self._agents).reply(taken)
            records = await self._records(taken, reply)
        except KeyForeign:
            reply, records = _UNSAID, [self._settled(taken, "parked", "key_foreign")]
        finally:
            beat.cancel()
        async with self._lock, self._connection.transaction():
            if await mailbox.settle(self._connection, taken):
                await outbox.put(self._connection, records)
                self._count(_counted(taken, reply), 1)
            else:
                self._count("front.lost_lease", 1)

    async def _renew(self, taken: Taken) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            async with self._lock:
                await mailbox.renew(self._connection, taken, self._lease_s)

    async def _stored(self, sha256: str) -> bytes:
        async with self._lock:
            return await blob.get(self._connection, sha256)

    def _settled(self, taken: Taken, outcome: Settled, reason: str | None = None) -> Outgoing:
        return settled(taken.event, taken.recipient, outcome, reason, SOURCE, self._names, self._clock())

    async def _records(self, taken: Taken, reply: Reply | None) -> list[Outgoing]:
        """Return the answer, what was learned, and that the message was handled."""
        if reply is None:
            return [self._settled(taken, "handled")]
        tenant, now = taken.event.fact.tenant, self._clock()
        key = await self._key(tenant, taken.recipient)
        asked = taken.letter
        letter = Letter(
            conversation_id=asked.conversation_id,
            message_id=derived_id("reply", tenant, asked.conversation_id, asked.message_id),
            sender=taken.recipient,
            recipient=asked.sender,
            kind=reply.kind,
            text=reply.text[:100_000],
            body=reply.body,
            priority=asked.priority,
            in_reply_to=asked.message_id,
        )
        sent = MessageSent(
            tenant=tenant,
            conversation_id=asked.conversation_id,
            letter=key.signed(tenant, letter),
            request_id=derived_id("reply to", tenant, asked.conversation_id, asked.message_id),
        )
        told = [record(taken.event, fact, SOURCE, self._names, now) for fact in (*reply.facts, sent)]
        return [*told, self._settled(taken, "handled")]

    async def _key(self, tenant: str, sender: str) -> Key:
        """Return the front's key or an agent's, registered; the house is asked for that once for each."""
        key = self._keyring.key(tenant, sender)
        waited = 0.0
        while (tenant, sender) not in self._signed_in:
            async with self._lock:
                known = await sender_key.keys_of(self._connection, tenant, [sender])
            if any(row.key_id == key.name and row.replaced_at is None for row in known):
                self._signed_in.add((tenant, sender))
            elif known or waited > READ_S:
                raise KeyForeign(f"{sender} of {tenant} signs with another key than the one in this data folder")
            else:
                if waited == 0.0:
                    ours = Scope(kinds=REPLIES)
                    request = RegisterKey(sender=sender, public_key=key.public, scope=ours)
                    await self._errands.ask(tenant, request, derived_id("front key", tenant, key.name))
                await asyncio.sleep(0.05)
                waited += 0.05
        return key


def _counted(taken: Taken, reply: Reply | None) -> str:
    if taken.recipient != FRONT:
        return "front.for_agent"
    return f"front.{reply.body.get('sort', reply.kind) if reply is not None else 'handled'}"


async def run(
    dsn: str,
    who: str,
    make: Callable[[Connection], Front],
    errands: Errands,
    stopped: asyncio.Event,
    *,
    connect: Connect = connect,
) -> None:
    """Answer until told to stop; any error of ours ends it, and the runner starts the process again."""
    connection = await connect(dsn, f"{who}-front")
    doorbell = await Doorbell.install(dsn, "mailbox", f"{who}-front")
    try:
        front = make(connection)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(errands.listen())
            await _answering(front, who, doorbell, group, stopped)
            listening.cancel()
    finally:
        await errands.stop()
        await doorbell.close()
        await connection.close()


async def _answering(front: Front, who: str, doorbell: Doorbell, group: asyncio.TaskGroup, stopped: asyncio.Event) -> None:
    """Take what waits, at most so much at a time, and look again when somebody rings or something was answered."""
    busy: set[asyncio.Task[None]] = set()
    while not stopped.is_set():
        busy = {task for task in busy if not task.done()}
        taken = await front.take(who, LIMIT - len(busy)) if len(busy) < LIMIT else []
        if not taken and len(busy) < FOR_AGENTS:
            taken = await front.take_for_agents(who, FOR_AGENTS - len(busy))
        busy |= {group.create_task(front.answer(one)) for one in taken}
        if not taken:
            await doorbell.wait(POLL_S)
    for task in busy:
        task.cancel()  # it is taken again when its lease has run out
