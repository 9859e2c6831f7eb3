"""What workers elsewhere said that does not count: recorded as a dead letter, and told to its sender."""

from datetime import datetime, timedelta

from events.aside import dead_letter, refusal
from events.request import BeatWorker, RefuseCommand
from events.topics import Names
from events.wire import Outgoing
from handlers.count import Count
from handlers.ordering import SOURCE
from handlers.remote import Heard, No
from handlers.workshop import Clock
from store import outbox
from store.postgres import Connection

_AGAIN = timedelta(minutes=1)
_MOST = 10_000  # whoever makes up names must not fill our memory


class Complaints:
    """Records refusals; of what comes again and again, one a minute."""

    def __init__(self, names: Names, clock: Clock, count: Count) -> None:
        self._names, self._clock, self._count = names, clock, count
        self._last: dict[tuple[str, str], datetime] = {}  # by worker and reason

    async def refuse(self, connection: Connection, heard: Heard, no: No) -> None:
        """Record what does not count, and tell its sender."""
        self._count(f"bridge.refused_{no.reason}", 1)
        now = self._clock()
        if isinstance(heard.said, BeatWorker | RefuseCommand) and self._is_again(heard, no.reason, now):
            return
        word = refusal(heard.record, heard.tenant, heard.envelope, no.reason, no.detail, self._names, now, SOURCE)
        await outbox.put(connection, [self._letter(heard, no, now), word])

    async def note(self, connection: Connection, heard: Heard, said: RefuseCommand) -> None:
        """Record that a worker was told what the house did not say to it now."""
        reason, now = f"command_{said.reason}", self._clock()
        self._count(f"bridge.{reason}", 1)
        if not self._is_again(heard, reason, now):
            detail = f"{heard.worker.holder} refused a command at {said.place} (ce_id {said.command_id or 'missing'})"
            await outbox.put(connection, [self._letter(heard, No(reason, detail), now)])

    def _letter(self, heard: Heard, no: No, now: datetime) -> Outgoing:
        return dead_letter(heard.record, "work", heard.tenant, no.reason, no.detail, self._names, now)

    def _is_again(self, heard: Heard, reason: str, now: datetime) -> bool:
        """Return whether this was recorded within the last minute."""
        key = (heard.worker.holder, reason)
        if key in self._last and now - self._last[key] < _AGAIN:
            return True
        if len(self._last) > _MOST:
            self._last.clear()
        self._last[key] = now
        return False
