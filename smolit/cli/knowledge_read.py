"""`smolit knowledge search`, `show`, `stats` and `provenance`: what is known, and what answers rest on."""

from typing import Annotated, Any

import msgspec
import typer

from agents.vectors import Encoders
from events.knowledge import document_id_of
from events.topics import DEFAULT_TENANT
from projections import knowledge_read
from projections.knowledge_read import ChunkRow, Document
from projections.knowledge_search import Hit
from projections.knowledge_wanted import Wanted
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.knowledge import Meta, pairs
from smolit.cli.option import Json, TaskIdArgument, Tenant, moment
from smolit.errors import NothingFound, UsageInvalid
from smolit.knowledge.provenance import Used, provenance_of
from smolit.knowledge.shelf import find
from store.postgres import Connection

Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is looked for, in words.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="Only this domain; may be repeated.")]
Held = Annotated[list[str] | None, typer.Option("--right", metavar="NAME", help="What the reader holds; may be repeated.")]
Count = Annotated[int, typer.Option("--k", min=1, max=200, help="How many to show.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="OFFSET|TIME", help="As of an offset of the topic, a time or a span back (2h).")
]
DocumentArgument = Annotated[
    str | None, typer.Argument(metavar="[DOCUMENT]", help="Id of a document, or its name with --domain; else all are listed.")
]
InDomain = Annotated[str | None, typer.Option("--domain", help="Only this domain; a name is looked for in it.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Which version; else the newest.")]


def search(
    text: Text,
    domain: Domains = None,
    meta: Meta = None,
    right: Held = None,
    k: Count = 10,
    as_of: AsOf = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Find pieces of documents by meaning and by words, now or as of earlier."""
    if not text.strip():
        raise UsageInvalid("say what is looked for; `smolit knowledge show` lists all documents")
    desk = open_desk()

    async def go(connection: Connection) -> tuple[list[Hit], int]:
        offset = await _offset(connection, desk, as_of)
        wanted = Wanted(
            tenant=tenant,
            k=k,
            domains=tuple(domain) if domain else None,
            held=tuple(right or ()),
            meta=pairs(meta),
            as_of=offset if as_of is not None else None,
        )
        return await find(connection, Encoders(desk.settings.cache / "encoder"), text, wanted), offset

    hits, offset = read(desk, go)
    if as_json:
        out.json({"as_of": offset, "hits": hits})
        return
    rows = [
        (hit.score * 100, hit.domain, hit.name, hit.version, hit.chunk, hit.by_meaning, hit.by_words, _short(hit.text))
        for hit in hits
    ]
    out.table(
        ("score", "domain", "document", "version", "piece", "meaning", "words", "text"), rows, title=f"as of offset {offset}"
    )


def show(
    document: DocumentArgument = None,
    domain: InDomain = None,
    version: Version = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """List documents, or show one with its versions and the pieces of one of them."""
    desk = open_desk()
    if document is None:
        _list(read(desk, lambda connection: knowledge_read.documents(connection, tenant, domain)), as_json)
        return
    document_id = document if domain is None else document_id_of(tenant, domain, document)
    versions, chunks = read(desk, lambda connection: _whole(connection, tenant, document_id, version))
    if as_json:
        out.json({"versions": versions, "chunks": chunks})
        return
    out.facts({**msgspec.to_builtins(versions[0]), "versions": ", ".join(f"{one.version} ({one.state})" for one in versions)})
    out.table(
        ("piece", "from", "to", "heading", "text"), [(one.chunk, one.starts, one.ends, one.heading, one.text) for one in chunks]
    )


def stats(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show how much is known, by which encoder's vectors it is found, and what was refused last."""
    desk = open_desk()

    async def go(connection: Connection) -> tuple[Any, Any]:
        figures = await knowledge_read.figures(connection, desk.names, tenant)
        return figures, await knowledge_read.refusals(connection, tenant)

    figures, refused = read(desk, go)
    if as_json:
        out.json({**msgspec.to_builtins(figures), "last_refused": refused})
        return
    out.facts(msgspec.to_builtins(figures))
    if refused:
        rows = [(one.refused_at, one.domain, one.reason, one.detail) for one in refused]
        out.table(("refused", "domain", "reason", "detail"), rows)


def provenance(task_id: TaskIdArgument, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show which pieces of which documents an answer rests on, as they stood when it was given."""
    found: list[Used] = read(open_desk(), lambda connection: provenance_of(connection, tenant, task_id))
    if as_json:
        out.json(found)
        return
    rows = [
        (one.attempt, one.agent, one.role, one.domain, one.name, one.version, one.chunk, one.state, _short(one.text or ""))
        for one in found
    ]
    out.table(("attempt", "agent", "role", "domain", "document", "version", "piece", "now", "text"), rows)


async def _offset(connection: Connection, desk: Desk, as_of: str | None) -> int:
    """Return the offset that is meant; raises UsageInvalid."""
    last = await knowledge_read.position(connection, desk.names)
    if as_of is None:
        return last
    if as_of.isdecimal():
        if int(as_of) > last:  # what it finds would change, and nobody could ask the same again
            raise UsageInvalid(f"offset {as_of} is not known (yet); the last one is {last}")
        return int(as_of)
    return await knowledge_read.offset_at(connection, desk.names, moment(as_of, now(), -1))


async def _whole(
    connection: Connection, tenant: str, document_id: str, version: int | None
) -> tuple[list[Document], list[ChunkRow]]:
    """Return all versions of a document, and the pieces of one; raises NothingFound."""
    versions = await knowledge_read.versions(connection, tenant, document_id)
    wanted = [one for one in versions if version in (None, one.version)]
    if not wanted:
        raise NothingFound(f"no such document of tenant {tenant!r} is known (yet); `smolit knowledge show` lists them")
    return versions, await knowledge_read.chunks(connection, tenant, document_id, wanted[0].version)


def _list(found: list[Document], as_json: bool) -> None:
    if as_json:
        out.json(found)
        return
    rows = [
        (one.domain, one.name, one.version, one.chunks, one.language, one.meta, one.rights, one.added_at, one.document_id)
        for one in found
    ]
    out.table(("domain", "document", "version", "pieces", "language", "meta", "rights", "added", "id"), rows)


def _short(text: str) -> str:
    return " ".join(text.split())[:110]
