"""Mail of agents: what is asked of one by its id is a task for it alone, and the answer goes back under its own name.

What asks for nothing (an update, a broadcast, a reply) is on record once it is read: an agent keeps nothing between two tasks.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from agents import told
from events.ids import task_id
from handlers.errand import PATIENCE, SOURCE, Errands, errand_id, given_in, submission
from handlers.front_port import Reads, Reply
from store import mailbox
from store.mailbox import Address, Taken
from store.postgres import Connection

ASKS = ("query", "handoff")  # kinds that somebody does something for


class AgentMail:
    """Finds mail for agents that are there, and has it done."""

    def __init__(
        self, reads: Reads, errands: Errands, stored: Callable[[str], Awaitable[bytes]], clock: Callable[[], datetime]
    ) -> None:
        self._reads, self._errands, self._stored, self._clock = reads, errands, stored, clock

    async def addresses(self, connection: Connection, but: str) -> list[Address]:
        """Return the mailboxes with something to take that are those of agents; what is for nobody here stays where it is."""
        waiting = await mailbox.waiting(connection, but)
        known = {tenant: {one.id for one in await self._reads.agents(tenant)} for tenant in {one.tenant for one in waiting}}
        return [one for one in waiting if one.recipient in known[one.tenant]]

    async def reply(self, taken: Taken) -> Reply | None:
        """Return what an agent answers to a message; None: nothing was asked of it."""
        letter, tenant, now = taken.letter, taken.event.fact.tenant, self._clock()
        if letter.kind not in ASKS:
            return None
        ends = taken.event.envelope.time + 2 * PATIENCE  # the same for whoever takes the message over
        ends = min(ends, letter.expires_at) if letter.expires_at is not None else ends
        if ends <= now:
            return Reply("error", f"It was read too late: it had to be done by {ends.isoformat()}.", {"reason": "too_late"})
        try:
            request = submission(letter.text, None, given_in(letter.body), letter.body.get("files", ()), letter.sender, ends)
        except msgspec.ValidationError as error:
            return Reply("error", f"That is no task for {taken.recipient}: {error}", {"reason": "bad_task"})
        request = msgspec.structs.replace(request, agent=taken.recipient)
        ended = await self._errands.do(tenant, request, errand_id(letter.message_id), min(now + PATIENCE, ends))
        about = {"sort": "task", "task_id": task_id(tenant, SOURCE, errand_id(letter.message_id)), "agent": taken.recipient}
        if ended.outcome != "completed":
            return Reply("error", ended.why, {**about, "outcome": ended.outcome, "reason": ended.reason})
        output = await ended.whole(self._stored)
        return Reply("response", told.said(output), {**about, "outcome": ended.outcome, "output": output})
