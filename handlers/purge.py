"""The purge: lets go of what ended long ago, a bite now and then, so that neither the queue nor the inboxes grow for ever."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from store import approval, purge, team
from store.postgres import Connection

Purged = Literal["tasks", "inbox_rows", "plans", "approvals"]


class Keep(Struct, frozen=True):
    """How long what ended stays, how often one looks, and how many rows a bite has."""

    days: int
    every_s: float = 10.0
    bite: int = 500


class Purge:
    """Takes one bite when it is due; a full one is followed by the next at once."""

    def __init__(self, connection: Connection, timer: Callable[[], float], keep: Keep) -> None:
        self._connection, self._timer, self._keep = connection, timer, keep
        self._due = timer() + keep.every_s

    async def bite(self) -> dict[Purged, int]:
        """Delete a bite of each, if it is time; return how many rows."""
        if self._timer() < self._due:
            return {}
        days, most = self._keep.days, self._keep.bite
        purged: dict[Purged, int] = {
            "tasks": await purge.ended(self._connection, days, most),
            "inbox_rows": await purge.taken_in(self._connection, days, most),
            "plans": await team.purge(self._connection, days, most),
            "approvals": await approval.purge(self._connection, days, most),
        }
        if max(purged.values()) < most:
            self._due = self._timer() + self._keep.every_s
        return purged
