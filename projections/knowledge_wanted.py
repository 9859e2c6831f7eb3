"""Which pieces a search of knowledge may find: whose, of which domains, under which rights and metadata, as of when."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from store.postgres import Connection

Place = tuple[str, int, int]  # document, version, chunk

JOINED = "on c.tenant = d.tenant and c.document_id = d.document_id and c.version = d.version"
_LIVE = "d.until is null"
_THEN = "d.since <= %(as_of)s and (d.until is null or d.until > %(as_of)s)"
_POOL = "select coalesce(sum(d.chunks), 0)::bigint from public.knowledge_documents d where {filter}"


class Wanted(Struct, frozen=True, kw_only=True):
    """Whose pieces may be found: of which domains (None: all), holding which rights, with which metadata, how many, as of when.

    `as_of` is the last offset of the topic that counts; None: as it is.
    """

    tenant: str
    k: int = 10
    domains: tuple[str, ...] | None = None
    held: tuple[str, ...] = ()
    meta: Mapping[str, str] = {}
    as_of: int | None = None


class Row(Struct, frozen=True):
    """A place as Postgres gives it."""

    document_id: str
    version: int
    chunk: int

    @property
    def place(self) -> Place:
        """Return it as a key."""
        return self.document_id, self.version, self.chunk


def there(wanted: Wanted) -> str:
    """Return the conditions on documents of the tenant that are, or were, to be found by somebody."""
    return " and ".join(("d.tenant = %(tenant)s", "not d.erased", _LIVE if wanted.as_of is None else _THEN))


def passing(wanted: Wanted) -> str:
    """Return all conditions on documents."""
    parts = [there(wanted), "d.rights <@ %(held)s::jsonb"]
    parts += ["d.domain = any(%(domains)s)"] if wanted.domains is not None else []
    parts += ["d.meta @> %(meta)s::jsonb"] if wanted.meta else []
    return " and ".join(parts)


def arguments(wanted: Wanted) -> dict[str, Any]:
    """Return what the conditions ask for."""
    return {
        "tenant": wanted.tenant,
        "held": msgspec.json.encode(wanted.held).decode(),
        "domains": list(wanted.domains or ()),
        "meta": msgspec.json.encode(wanted.meta).decode(),
        "as_of": wanted.as_of,
    }


async def pool_of(connection: Connection, wanted: Wanted) -> int:
    """Return how many pieces pass the conditions, as the rows of their documents say."""
    row = await (await connection.execute(_POOL.format(filter=passing(wanted)).encode(), arguments(wanted))).fetchone()
    return int(row[0]) if row else 0
