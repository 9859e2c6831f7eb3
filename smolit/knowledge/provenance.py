"""Which pieces of which documents an answer rests on: as its attempt told, and what is left of them."""

from typing import Any

from msgspec import Struct

from projections import knowledge_read
from smolit.errors import NothingFound
from store.postgres import Connection

ROLES = {"citations": "cited", "context": "read"}


class Used(Struct, frozen=True, kw_only=True):
    """One piece that an attempt cited, or only read; `state` is how its document stands now."""

    attempt: int
    agent: str
    role: str
    domain: str
    document_id: str
    version: int
    chunk: int
    name: str | None
    state: str
    as_of: int | None
    found_then: bool
    text: str | None


async def provenance_of(connection: Connection, tenant: str, task_id: str) -> list[Used]:
    """Return the pieces that the attempts of a task told of, cited ones first.

    Raises:
        NothingFound: no attempt of it has ended, or none told of any piece.
    """
    attempts = await knowledge_read.answers(connection, tenant, task_id)
    if not attempts:
        raise NothingFound(f"no ended attempt of task {task_id} of tenant {tenant!r} is known (yet)")
    found = [await _used(connection, tenant, attempt, role, one) for attempt in attempts for role, one in _told(attempt)]
    if not found:
        raise NothingFound("its answer rests on no document; only agents that search knowledge tell of pieces")
    return found


def _told(attempt: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the pieces in an attempt's output, which may be anything."""
    output = attempt.get("output")
    if not isinstance(output, dict):
        return []
    lists = [(role, output.get(name)) for name, role in ROLES.items()]
    return [(role, one) for role, told in lists if isinstance(told, list) for one in told if _is_piece(one)]


def _is_piece(one: object) -> bool:
    wanted = {"document_id": str, "version": int, "chunk": int}
    return isinstance(one, dict) and all(isinstance(one.get(name), kind) for name, kind in wanted.items())


async def _used(connection: Connection, tenant: str, attempt: dict[str, Any], role: str, one: dict[str, Any]) -> Used:
    """Return a piece, and how it stands."""
    document_id, version, chunk = one["document_id"], one["version"], one["chunk"]
    as_of = attempt["output"].get("as_of")
    row = next((row for row in await knowledge_read.versions(connection, tenant, document_id) if row.version == version), None)
    pieces = await knowledge_read.chunks(connection, tenant, document_id, version) if row is not None else []
    return Used(
        attempt=attempt["attempt"],
        agent=attempt["agent"],
        role=role,
        domain=str(one.get("domain", "")),
        document_id=document_id,
        version=version,
        chunk=chunk,
        name=row.name if row else None,
        state=row.state if row else "unknown",
        as_of=as_of if isinstance(as_of, int) else None,
        found_then=row is not None and isinstance(as_of, int) and row.since <= as_of and (row.until is None or row.until > as_of),
        text=next((piece.text for piece in pieces if piece.chunk == chunk), None),
    )
