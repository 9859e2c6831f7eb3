"""Who watches the answer of a task being made: the sender of the message that the front agent submitted it for.

The message lies in the front's mailbox until its answer is written, so nothing of this stands in any fact.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import msgspec

from agents.telling import Tell, Telling
from handlers.errand import SOURCE, message_of
from handlers.front_port import FRONT
from handlers.telling import WATCHED, Teller
from store import mailbox
from store.claim import Claimed, Hold
from store.mailbox import Taken
from store.postgres import Connection

_CLAIMS, _TELLINGS = 1_000, 100  # of an attempt, and of a claim: more than there ever are


class Audience:
    """Lets agents tell pieces of their answers to whoever watches."""

    def __init__(self, connection: Connection, teller: Teller) -> None:
        self._connection, self._teller = connection, teller

    def of(self, claimed: Claimed) -> Telling | None:
        """Return what opens tellings of an attempt; None: the task is no turn of a conversation."""
        task = claimed.task
        message_id = message_of(task.request_id) if task.requested_by == SOURCE else None
        if message_id is None:
            return None
        numbers = count()

        @asynccontextmanager
        async def telling() -> AsyncIterator[Tell | None]:
            lies = await mailbox.lying(self._connection, task.tenant, FRONT, message_id)
            if lies is None or lies.letter.body.get(WATCHED) is not True:
                yield None
                return
            async with self._teller.telling(numbered(lies, claimed.hold, next(numbers))) as tell:
                yield tell

        return telling


def numbered(taken: Taken, hold: Hold, number: int) -> Taken:
    """Return the message with the number of a telling as its epoch: that of a later attempt, claim or call is higher."""
    return msgspec.structs.replace(taken, epoch=(hold.attempt * _CLAIMS + hold.epoch) * _TELLINGS + number)
