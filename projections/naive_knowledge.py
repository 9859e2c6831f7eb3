"""The naive fold of knowledge: what is known, and what is left of it; see `projections/naive.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from events.event import Fact
from events.knowledge import (
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
)
from projections.naive import Key, Seen, Table
from projections.naive_similar import WIDTH, sent

_FORGOTTEN = ("name", "title", "sha256", "source", "meta")


def domains(seen: Sequence[Seen]) -> Table:
    """Return the domains, and when each was last cleared."""
    table: Table = {}
    for item in seen:
        match item.fact:
            case DomainCreated(tenant=tenant, domain=domain, description=said):
                row = {"tenant": tenant, "domain": domain, "description": said, "created_at": item.at, "cleared_at": None}
                table.setdefault((tenant, domain), row)
            case DomainCleared(tenant=tenant, domain=domain) if (tenant, domain) in table:
                table[tenant, domain]["cleared_at"] = item.at
    return table


def documents(seen: Sequence[Seen]) -> Table:
    """Return every version of every document: from where to where it is found, and what is left of it."""
    table: Table = {}
    for item in seen:
        match item.fact:
            case DocumentAdded() as fact:
                _end(table, fact.tenant, fact.document_id, item.record.offset, item.at)
                table[fact.tenant, fact.document_id, fact.version] = _row(fact, item.record.offset, item.at)
            case DocumentRemoved() as fact:
                _end(table, fact.tenant, fact.document_id, item.record.offset, item.at)
                if fact.erased:
                    for row in _versions(table, fact.tenant, fact.document_id):
                        row.update(dict.fromkeys(_FORGOTTEN), erased=True, state="erased")
    return table


def chunks(seen: Sequence[Seen]) -> Table:
    """Return the texts of all chunks that were not erased."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, DocumentChunked):
            for one in fact.chunks:
                key = (fact.tenant, fact.document_id, fact.version, one.number)
                named = dict(zip(("tenant", "document_id", "version", "chunk"), key, strict=True))
                table[key] = {**named, "starts": one.start, "ends": one.end, "heading": one.heading, "text": one.text}
        _forget(table, fact, 0)
    return table


def vectors(seen: Sequence[Seen]) -> Table:
    """Return the vectors of all chunks that were not erased, as Postgres sends them."""
    table: Table = {}
    erased: set[tuple[str, str, int]] = set()
    for item in seen:
        fact = item.fact
        if isinstance(fact, DocumentChunked) and fact.chunks:
            for encoder, packed in fact.vectors.items():
                _keep(table, encoder, fact, fact.chunks[0].number, packed)
        if isinstance(fact, ChunksEmbedded) and (fact.tenant, fact.document_id, fact.version) not in erased:
            _keep(table, fact.encoder, fact, fact.first, fact.vectors)
        if isinstance(fact, DocumentRemoved) and fact.erased:
            erased |= {(fact.tenant, fact.document_id, version) for version in range(1, fact.version + 1)}
        _forget(table, fact, 1)
    return table


def encoders(seen: Sequence[Seen]) -> Table:
    """Return which encoder serves from which offset on."""
    return {
        (item.fact.tenant, item.record.offset): {
            "tenant": item.fact.tenant,
            "since": item.record.offset,
            "encoder": item.fact.encoder,
            "kind": item.fact.kind,
            "since_at": item.at,
        }
        for item in seen
        if isinstance(item.fact, IndexSwitched)
    }


def refused(seen: Sequence[Seen]) -> Table:
    """Return the requests that nothing came of."""
    names = ("tenant", "request_id", "document_id", "domain", "reason", "detail")
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, DocumentRefused):
            row = {**{name: getattr(fact, name) for name in names}, "refused_at": item.at}
            table.setdefault((fact.tenant, fact.request_id), row)
    return table


def requests(seen: Sequence[Seen]) -> Table:
    """Return what was asked for, and since when vectors of another encoder are made."""
    kinds = {DocumentSubmitted: "add", RemovalRequested: "remove", ClearingRequested: "clear", ReindexRequested: "reindex"}
    names = ("tenant", "request_id", "document_id", "domain", "encoder", "requested_by")
    table: Table = {}
    for item in seen:
        if isinstance(fact := item.fact, DocumentSubmitted | RemovalRequested | ClearingRequested | ReindexRequested):
            row = {name: getattr(fact, name, None) for name in names}
            known = {**row, "kind": kinds[type(fact)], "asked_at": item.at, "begun_at": None}
            table.setdefault((fact.tenant, fact.request_id), known)
        if isinstance(fact, ReindexBegun) and (fact.tenant, fact.request_id) in table:
            table[fact.tenant, fact.request_id]["begun_at"] = item.at
    return table


def _row(fact: DocumentAdded, offset: int, at: datetime) -> dict[str, Any]:
    """Return the row of a version that is found."""
    kept = [name for name in fact.__struct_fields__ if name not in ("request_id", "rights")]
    more = {"since": offset, "until": None, "added_at": at, "ended_at": None, "erased": False, "state": "live"}
    return {**{name: getattr(fact, name) for name in kept}, "rights": list(fact.rights), **more}


def _versions(table: Table, tenant: str, document_id: str) -> list[dict[str, Any]]:
    """Return all versions of a document."""
    return [row for key, row in table.items() if key[:2] == (tenant, document_id)]


def _end(table: Table, tenant: str, document_id: str, offset: int, at: datetime) -> None:
    """Let the version that is found be found no more."""
    for row in _versions(table, tenant, document_id):
        if row["until"] is None:
            row.update(until=offset, ended_at=at, state="ended")


def _forget(table: Table, fact: Fact, at: int) -> None:
    """Delete what an erased document left; keys have its tenant and id from a place on."""
    if isinstance(fact, DocumentRemoved) and fact.erased:
        for key in [key for key in table if key[at : at + 2] == (fact.tenant, fact.document_id)]:
            del table[key]


def _keep(table: Table, encoder: str, fact: DocumentChunked | ChunksEmbedded, first: int, packed: bytes) -> None:
    """Add the vectors of neighbouring chunks."""
    names = ("encoder", "tenant", "document_id", "version", "chunk")
    for place in range(len(packed) // (2 * WIDTH)):
        key: Key = (encoder, fact.tenant, fact.document_id, fact.version, first + place)
        one = packed[place * 2 * WIDTH : (place + 1) * 2 * WIDTH]
        table.setdefault(key, {**dict(zip(names, key, strict=True)), "embedding": sent(one)})
