"""Documents into the store: from files to requests, and what became of each request about knowledge."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from agents.document.kind import ENDINGS, kind_of
from bus.reader import PartitionReader
from events.answer import RequestRefused
from events.errors import EventError
from events.event import Fact
from events.knowledge import OUTCOMES, DocumentRemoved, DomainCreated, IndexSwitched
from events.knowledge_request import AddDocument, ClearDomain, CreateDomain, Reindex
from events.request import Request
from events.topics import ANSWERS, KNOWLEDGE
from events.wire import decode
from projections.knowledge_read import position
from smolit.cli.desk import Desk
from smolit.client import Ask, from_here
from smolit.errors import NothingFound, UsageInvalid
from smolit.errors import RequestRefused as Refused
from store import blob
from store.postgres import connect

INLINE_BYTES = 500_000  # of a file: a third more in base64, and still below the usual limit of a request
PATIENCE_S = 300.0


class About(Struct, frozen=True, kw_only=True):
    """What is said of all documents that are added together."""

    domain: str
    meta: dict[str, str]
    rights: tuple[str, ...]
    source: str
    title: str
    replace: bool


class Told(Struct, frozen=True):
    """What came of one request: its last fact, and the offset that it has in the log (-1: it is elsewhere)."""

    request_id: str
    fact: Fact | RequestRefused
    offset: int


def files_of(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return the files that are meant, each with its name in the domain: folders stand for all that is read in them.

    Raises:
        NothingFound: a path is not there, or nothing in it is of a kind that is read.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in ENDINGS)
            found += [(one.relative_to(path).as_posix(), one) for one in inside]
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise NothingFound(f"there is no file or folder {str(path)!r}")
    if not found:
        raise NothingFound(f"nothing to read there; what is read ends with {', '.join(sorted(ENDINGS))}")
    if len({name for name, _ in found}) < len(found):
        raise UsageInvalid("two files have one name; add their common folder instead")
    return found


async def asked_for(desk: Desk, file: tuple[str, Path], about: About) -> AddDocument:
    """Return the request for a file; one that is too long for a request goes to the blob store first.

    Raises:
        UsageInvalid: it is of a kind that is not read.
    """
    name, path = file
    kind = kind_of(path.name)
    if kind is None:
        raise UsageInvalid(f"{path.name}: what is read ends with {', '.join(sorted(ENDINGS))}")
    content = await asyncio.to_thread(path.read_bytes)
    inline = len(content) <= INLINE_BYTES
    if not inline:
        connection = await connect(desk.endpoints.postgres, "smolit-cli")
        try:
            await blob.put(connection, content)
        finally:
            await connection.close()
    return AddDocument(
        domain=about.domain,
        name=name,
        media_type=kind,
        content=content if inline else None,
        sha256=hashlib.sha256(content).hexdigest(),
        title=about.title,
        source=about.source or str(path),
        meta=about.meta,
        rights=about.rights,
        replace=about.replace,
    )


async def told(
    desk: Desk, tenant: str, requests: Sequence[Request], patience_s: float = PATIENCE_S
) -> AsyncIterator[tuple[int, Told]]:
    """Send requests about knowledge and yield what came of each, with its place among them, as it comes.

    Raises:
        RequestRefused: for so long nothing more came.
    """
    client = desk.client(tenant)
    async with client, from_here(desk.endpoints.kafka, desk.names, (ANSWERS, KNOWLEDGE)) as reader:
        sent = await client.send([Ask(request) for request in requests])
        waiting = {one.request_id: place for place, one in enumerate(sent)}
        while waiting:
            for one in await _some(reader, waiting, tenant, requests, patience_s):
                yield waiting.pop(one.request_id), one


async def _some(
    reader: PartitionReader, waiting: Mapping[str, int], tenant: str, requests: Sequence[Request], patience_s: float
) -> list[Told]:
    """Return what came of some of the requests that wait; raises RequestRefused if nothing does for too long."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        found: dict[str, Told] = {}
        for record in await reader.fetch():
            try:
                fact = decode(record.headers, record.value).fact
            except EventError:
                continue  # it has its dead letter elsewhere and answers nobody
            request_id = getattr(fact, "request_id", None)
            if (
                isinstance(request_id, str)
                and request_id in waiting
                and getattr(fact, "tenant", None) == tenant
                and _is_end(fact, requests[waiting[request_id]])
            ):
                offset = -1 if isinstance(fact, RequestRefused) else record.offset
                found.setdefault(request_id, Told(request_id, fact, offset))  # type: ignore[arg-type]
        if found:
            return list(found.values())
    raise Refused(
        f"nothing came of {len(waiting)} request(s) within {patience_s:.0f} s; they lie in Kafka and count once ingest runs "
        "(`smolit status` shows whether it does)"
    )


def _is_end(fact: object, request: Request) -> bool:
    """Say whether a fact is the last one that follows from a request."""
    if isinstance(fact, RequestRefused):
        return True
    if isinstance(fact, DomainCreated):
        return isinstance(request, CreateDomain)
    if isinstance(fact, IndexSwitched):
        return isinstance(request, Reindex)
    if isinstance(fact, DocumentRemoved):
        return not isinstance(request, ClearDomain)
    return isinstance(fact, OUTCOMES)


async def known_by(desk: Desk, offset: int, patience_s: float = 60.0) -> bool:
    """Wait until the read models know an offset; false if that takes too long."""
    connection = await connect(desk.endpoints.postgres, "smolit-cli")
    try:
        end = time.monotonic() + patience_s
        while (there := await position(connection, desk.names)) < offset and time.monotonic() < end:  # noqa: ASYNC110 nobody announces it
            await asyncio.sleep(0.05)
        return there >= offset
    finally:
        await connection.close()
