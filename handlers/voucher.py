"""Whether what a worker elsewhere says is its own: signed by a key of that very worker, now, and for the first time. Pure.

Checked in this order: is there a key, a signature, is it by that key, is it for this pool, and is it of this minute. That it
comes for the first time is told by the rows (`store.remote.first_said`), and for an answer by its claim.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from agents.signature import is_signed
from events.request import AnswerAttempt
from events.vouched import WORKS, signer_of, source_of, voucher_of
from handlers.remote import Heard, No
from store.sender_key import KeyRow

SKEW = timedelta(seconds=60)
EVERYBODY = "*"


def is_vouched_for(heard: Heard) -> bool:
    """Return whether there is a signature."""
    return voucher_of(heard.record.topic, heard.record.headers, heard.record.value) is not None


def keys_for(heard: Heard, rows: Sequence[KeyRow]) -> list[KeyRow]:
    """Return the keys that may speak for who spoke, revoked ones too: its own, or its source's if it never had one of its own."""
    source = heard.envelope.source
    tenants = [row for row in rows if row.tenant == heard.tenant]
    own = signer_of(source, heard.said.worker)
    return [row for row in tenants if row.sender == own] or [row for row in tenants if row.sender == signer_of(source)]


def vouched(heard: Heard, rows: Sequence[KeyRow], unsigned: Collection[str], now: datetime) -> KeyRow | No | None:
    """Return the key that vouches for what was said, or why none does; None: it is let in without one.

    `rows` are the keys of its own and of its source; where some need not sign (`unsigned`), those of all its workers, too:
    a source where anybody ever had a key has to sign whatever `unsigned` says, else whoever takes its name would just not sign.
    """
    source, worker = heard.envelope.source, heard.said.worker
    had = any(row.tenant == heard.tenant and source_of(row.sender) == source for row in rows)
    if not had and (source in unsigned or EVERYBODY in unsigned):
        return None
    voucher = voucher_of(heard.record.topic, heard.record.headers, heard.record.value)
    if voucher is None:
        return No("unsigned", f"ce_signature: source {source!r} has to sign; see `smolit agent key`")
    key = next((row for row in keys_for(heard, rows) if row.key_id == voucher.key_id), None)
    if key is None:
        return No("unknown_key", f"ce_keyid: {worker!r} of source {source!r} has no such key")
    if key.replaced_at is not None:
        return No("revoked_key", f"ce_keyid: this key of {worker!r} of source {source!r} was revoked")
    if WORKS not in key.scope.kinds or not is_signed(key.public_key, voucher.content, voucher.signature):
        return No("forged", f"ce_signature: it is not by the key of {worker!r}, or what was said was changed")
    return _out_of_scope(heard, key) or _out_of_time(heard, now) or key


def _out_of_scope(heard: Heard, key: KeyRow) -> No | None:
    """Return that a key is not for this pool; an answer counts only from who was let in to the pool."""
    if isinstance(heard.said, AnswerAttempt) or not key.scope.recipients or heard.said.pool in key.scope.recipients:
        return None
    return No("out_of_scope", f"pool: the key of {heard.said.worker!r} is not for pool {heard.said.pool!r}")


def _out_of_time(heard: Heard, now: datetime) -> No | None:
    """Return that a sign of life is not of now: what was said then may be said again by anybody. An answer names its claim."""
    if isinstance(heard.said, AnswerAttempt) or abs(now - heard.envelope.time) <= SKEW:
        return None
    return No("not_of_now", "ce_time: a sign of life counts for a minute, and needs a time with the clock's zone")
