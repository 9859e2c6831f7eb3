"""Whose a request is: the first record with its key owns it, a repeat falls away, and a stranger is refused."""

from collections import Counter
from collections.abc import Mapping, Sequence

from store import intake as claims
from store.postgres import Connection
from streams.inspection import Healthy, Sick

Owners = Mapping[str, tuple[str, str]]  # by request key: origin and payload hash of the record that owns it


async def claimed(connection: Connection, judged: Sequence[Healthy | Sick], outcomes: "Counter[str]") -> list[Healthy | Sick]:
    """Claim the keys of a batch, and return what is to be done: repeats fall away, a reused request id is refused."""
    healthy = [one for one in judged if isinstance(one, Healthy)]
    owners = await claims.claim(connection, [one.claim for one in healthy]) if healthy else {}
    strangers = await _strangers(connection, healthy)
    verdicts = [one if isinstance(one, Sick) else _owned(one, owners, strangers) for one in judged]
    outcomes["repeated"] += verdicts.count(None)
    return [one for one in verdicts if one is not None]


async def _strangers(connection: Connection, healthy: Sequence[Healthy]) -> set[tuple[str, str]]:
    """Return the tasks named in the batch by a tenant that they do not belong to, with that tenant."""
    named = {(task, one.asked.tenant) for one in healthy for task in one.named.values()}
    owners = await claims.tenants_of(connection, sorted({task for task, _ in named})) if named else {}
    return {(task, tenant) for task, tenant in named if owners.get(task, tenant) != tenant}


def _owned(one: Healthy, owners: Owners, strangers: set[tuple[str, str]]) -> Healthy | Sick | None:
    """Return the request if the record owns it, why it is refused, or None for a repeat."""
    origin, sha256 = owners[one.claim.request_key]
    if origin == one.record.origin:
        wrong = [field for field, task in one.named.items() if (task, one.asked.tenant) in strangers]
        return one.refused("unknown_task", f"{wrong[0]}: you have no such task") if wrong else one
    if sha256 != one.claim.payload_sha256:
        return one.refused("request_id_reused", "this request id was used before with another payload")
    return None
