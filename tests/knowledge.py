"""Facts about knowledge for tests: every field has a default, so a test names only what it is about."""

import random
from typing import Any

from events.event import Event, Fact
from events.knowledge import (
    Chunk,
    ChunksEmbedded,
    ClearingRequested,
    DocumentAdded,
    DocumentChunked,
    DocumentRefused,
    DocumentRemoved,
    DocumentSubmitted,
    DomainCleared,
    DomainCreated,
    IndexSwitched,
    ReindexBegun,
    ReindexRequested,
    RemovalRequested,
    document_id_of,
)
from tests.builders import TENANT, halves, stamped

ENCODER = "test:000000000001"
DOMAIN = "law"


def of(name: str, domain: str = DOMAIN) -> str:
    """Return the id of a document."""
    return document_id_of(TENANT, domain, name)


def vector(*numbers: float) -> bytes:
    """Return a vector whose first numbers are these."""
    return halves([*numbers, *(0.0 for _ in range(384 - len(numbers)))])


def asked(name: str = "a.txt", **fields: Any) -> DocumentSubmitted:
    """Return that a document was asked for."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "document_id": of(name, str(fields.get("domain", DOMAIN))),
        "domain": DOMAIN,
        "name": name,
        "title": name,
        "media_type": "text/plain",
        "sha256": "0" * 64,
        "size": 5,
        "source": "tests",
        "meta": {},
        "rights": (),
        "replace": False,
        "request_id": f"request-{name}",
        "requested_by": "tests",
    }
    return DocumentSubmitted(**{**defaults, **fields})


def chunked(name: str, texts: list[str], version: int = 1, **fields: Any) -> Event[Fact]:
    """Return the chunks of a version; the vector of each is told by its length."""
    parts = tuple(Chunk(number, 10 * number, 10 * number + len(text), text, "Head") for number, text in enumerate(texts))
    vectors = {ENCODER: b"".join(vector(1.0, len(text) / 8) for text in texts)}
    defaults = {"tenant": TENANT, "document_id": of(name), "version": version, "part": 0, "chunks": parts, "vectors": vectors}
    return stamped(DocumentChunked(**{**defaults, **fields}))


def added(name: str, version: int = 1, at: float = 0, **fields: Any) -> Event[Fact]:
    """Return that a version is there."""
    told = asked(name)
    same = {one: getattr(told, one) for one in ("tenant", "document_id", "domain", "name", "title", "media_type", "sha256")}
    more = {"size": 5, "source": "tests", "meta": {}, "rights": (), "language": "en", "chars": 20, "chunks": 1}
    return stamped(DocumentAdded(version=version, request_id=f"request-{name}", **{**same, **more, **fields}), at)


def removed(name: str, version: int = 1, erased: bool = True, at: float = 0) -> Event[Fact]:
    """Return that a document was removed."""
    return stamped(
        DocumentRemoved(
            tenant=TENANT, document_id=of(name), version=version, domain=DOMAIN, erased=erased, request_id=f"remove-{name}"
        ),
        at,
    )


def domain_created(domain: str = DOMAIN, at: float = 0) -> Event[Fact]:
    """Return that a domain is there."""
    return stamped(DomainCreated(tenant=TENANT, domain=domain, description="what the law says", request_id="domain"), at)


def domain_cleared(domain: str = DOMAIN, at: float = 0) -> Event[Fact]:
    """Return that a domain was cleared."""
    return stamped(DomainCleared(tenant=TENANT, domain=domain, documents=1, request_id="clear", requested_by="tests"), at)


def switched(encoder: str = ENCODER, request_id: str = "first") -> Event[Fact]:
    """Return that an encoder serves."""
    return stamped(IndexSwitched(tenant=TENANT, encoder=encoder, kind="hashed", request_id=request_id))


def embedded(name: str, version: int = 1, encoder: str = "other:000000000002", count: int = 1) -> Event[Fact]:
    """Return vectors of another encoder."""
    packed = b"".join(vector(0.0, 1.0 + number) for number in range(count))
    told = {"tenant": TENANT, "document_id": of(name), "version": version, "part": 0, "first": 0, "encoder": encoder}
    return stamped(ChunksEmbedded(vectors=packed, **told))


def refused(name: str, at: float = 0) -> Event[Fact]:
    """Return that nothing came of a document."""
    who = {"tenant": TENANT, "document_id": of(name), "domain": DOMAIN, "request_id": f"refused-{name}", "requested_by": "tests"}
    return stamped(DocumentRefused(reason="damaged", detail="it is no archive", **who), at)


def reindexing(request_id: str = "second") -> list[Event[Fact]]:
    """Return that vectors of another encoder were asked for, and begun."""
    wanted = ReindexRequested(tenant=TENANT, encoder="static", request_id=request_id, requested_by="tests")
    begun = ReindexBegun(tenant=TENANT, encoder="other:000000000002", kind="static", request_id=request_id)
    return [stamped(wanted, 30), stamped(begun, 31)]


def removal(name: str) -> list[Event[Fact]]:
    """Return that a removal and a clearing were asked for."""
    who = {"tenant": TENANT, "reason": "", "requested_by": "tests"}
    return [
        stamped(RemovalRequested(document_id=of(name), keep_history=False, request_id=f"remove-{name}", **who), 32),
        stamped(ClearingRequested(domain=DOMAIN, request_id="clear", **who), 33),
    ]


def story(seed: int) -> list[Event[Fact]]:
    """Return what happens to some documents: taken in, replaced, removed with and without their history, embedded anew."""
    rng = random.Random(seed)
    told: list[Event[Fact]] = [domain_created(), switched(), stamped(asked("a.txt"))]
    for number in range(rng.randint(4, 7)):
        name, texts = f"{number}.txt", ["word " * rng.randint(1, 9), "line two"]
        told += [
            chunked(name, texts),
            added(name, at=number, chunks=2, meta={"n": str(number)}, rights=("secret",)[: number % 2]),
        ]
        told += [embedded(name, count=2)] if number % 3 == 0 else []
        if number % 2:
            told += [chunked(name, ["newer"], 2), added(name, 2, at=number + 10)]
            told += [removed(name, 2, erased=rng.random() < 0.5, at=number + 20)]
    late = [chunked("0.txt", ["again"], 2), added("0.txt", 2, at=40), removed("0.txt", 2, at=50), embedded("0.txt")]
    return [
        *told,
        *reindexing(),
        *removal("1.txt"),
        switched("other:000000000002", "second"),
        *late,
        refused("x.pdf", 60),
        domain_cleared(at=70),
    ]
