"""Whether what a worker elsewhere says is its own: signed by the key of its source, now, and for the first time. Pure.

Checked in this order: is there a key, a signature, is it by that key, is it for this pool, and is it of this minute. That it
comes for the first time is told by the rows (`store.remote.first_said`), and for an answer by its claim.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from agents.signature import is_signed
from events.request import AnswerAttempt
from events.vouched import WORKER, WORKS, voucher_of
from handlers.remote import Heard, No
from store.sender_key import KeyRow

GRACE = timedelta(seconds=30)  # for a worker that is about to be given its source's next key
SKEW = timedelta(seconds=60)
EVERYBODY = "*"


def signer_of(source: str) -> str:
    """Return under which name the key of a source is kept."""
    return f"{WORKER}{source}"


def is_vouched_for(heard: Heard) -> bool:
    """Return whether there is a signature."""
    return voucher_of(heard.record.topic, heard.record.headers, heard.record.value) is not None


def unvouched(heard: Heard, keys: Sequence[KeyRow], unsigned: Collection[str], now: datetime) -> No | None:
    """Return why nobody vouches for what was said, or None. `keys` are all keys of its source, `unsigned` who need not sign.

    A source that ever had a key has to sign, whatever `unsigned` says: else whoever takes its name would leave the signature out.
    """
    source = heard.envelope.source
    if not keys and (source in unsigned or EVERYBODY in unsigned):
        return None
    voucher = voucher_of(heard.record.topic, heard.record.headers, heard.record.value)
    if voucher is None:
        return No("unsigned", f"ce_signature: source {source!r} has to sign; see `smolit agent key`")
    key = next((row for row in keys if row.key_id == voucher.key_id), None)
    if key is None or (key.replaced_at is not None and now > key.replaced_at + GRACE):
        return No("unknown_key", f"ce_keyid: source {source!r} has no such key in use")
    if WORKS not in key.scope.kinds or not is_signed(key.public_key, voucher.content, voucher.signature):
        return No("forged", f"ce_signature: it is not by the key of {source!r}, or what was said was changed")
    return _out_of_scope(heard, key) or _out_of_time(heard, now)


def _out_of_scope(heard: Heard, key: KeyRow) -> No | None:
    """Return that a key is not for this pool; an answer counts only from who was let in to the pool."""
    if isinstance(heard.said, AnswerAttempt) or not key.scope.recipients or heard.said.pool in key.scope.recipients:
        return None
    return No("out_of_scope", f"pool: the key of {heard.envelope.source!r} is not for pool {heard.said.pool!r}")


def _out_of_time(heard: Heard, now: datetime) -> No | None:
    """Return that a sign of life is not of now: what was said then may be said again by anybody. An answer names its claim."""
    if isinstance(heard.said, AnswerAttempt) or abs(now - heard.envelope.time) <= SKEW:
        return None
    return No("not_of_now", "ce_time: a sign of life counts for a minute, and needs a time with the clock's zone")
