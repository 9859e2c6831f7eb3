"""Who of those who call themselves workers elsewhere is heard: only what their own keys vouch for, and each sign of life once."""

from collections.abc import Collection, Sequence

from events.request import AnswerAttempt
from events.vouched import signer_of
from handlers import voucher
from handlers.complaint import Complaints
from handlers.remote import Heard, No
from handlers.workshop import Clock
from store import remote as rows
from store import sender_key
from store.postgres import Connection
from store.sender_key import KeyRow

_TWICE = No("replayed", "ce_id: this was said before; each sign of life has its own id")


class Door:
    """Lets in what was said, in the caller's transaction; `unsigned` are sources that need not sign."""

    def __init__(self, complaints: Complaints, clock: Clock, unsigned: Collection[str]) -> None:
        self._complaints, self._clock, self._unsigned = complaints, clock, unsigned

    async def let_in(self, connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Return what a key of its worker vouches for, and what is said for the first time; refuse the rest."""
        keys = await self._keys(connection, heard)
        good, used = [], []
        for one in heard:
            found = voucher.vouched(one, keys, self._unsigned, self._clock())
            if isinstance(found, No):
                await self._complaints.refuse(connection, one, found)
                continue
            good.append(one)
            used += [found] if found else []
        await sender_key.note_use(connection, used)
        return await self._first_said(connection, good)

    async def _keys(self, connection: Connection, heard: Sequence[Heard]) -> list[KeyRow]:
        """Return the keys of who spoke, and of their sources; where some need not sign, of all workers of these, too."""
        found: list[KeyRow] = []
        for tenant in sorted({one.tenant for one in heard}):
            spoke = [one for one in heard if one.tenant == tenant]
            if self._unsigned:
                found += await sender_key.keys_of_sources(connection, tenant, {one.envelope.source for one in spoke})
                continue
            names = {signer_of(one.envelope.source, worker) for one in spoke for worker in (None, one.said.worker)}
            found += await sender_key.keys_of(connection, tenant, names)
        return found

    async def _first_said(self, connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Return what was not said before: a sign of life that is signed counts once. An answer is told by its claim."""
        signs = [one for one in heard if not isinstance(one.said, AnswerAttempt) and voucher.is_vouched_for(one)]
        once = {one.record.origin for one in signs}
        new = await rows.first_said(connection, [_word(one) for one in signs])
        good = []
        for one in heard:
            if one.record.origin in once and _word(one) not in new:
                await self._complaints.refuse(connection, one, _TWICE)
                continue
            new.discard(_word(one))
            good.append(one)
        return good


def _word(heard: Heard) -> tuple[str, str, str]:
    """Return what names something that was said."""
    return heard.tenant, heard.envelope.source, heard.envelope.id
