"""`smolit knowledge add`, `remove`, `domains` and `reindex`: what changes knowledge."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from events.answer import RequestRefused
from events.knowledge import (
    DocumentAdded,
    DocumentRefused,
    DomainCleared,
    EncoderKind,
    IndexSwitched,
    document_id_of,
)
from events.knowledge_request import ClearDomain, CreateDomain, Reindex, RemoveDocument
from events.request import Request
from events.topics import DEFAULT_TENANT
from projections import knowledge_read
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.errors import CheckFailed, UsageInvalid
from smolit.knowledge.taking_in import About, Told, asked_for, files_of, known_by, told

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders: all that is read in them.")]
Domain = Annotated[str, typer.Option("--domain", help="Family of documents.")]
Meta = Annotated[list[str] | None, typer.Option("--meta", metavar="NAME=VALUE", help="What is known of them; may be repeated.")]
Rights = Annotated[
    list[str] | None, typer.Option("--right", metavar="NAME", help="What a reader has to hold; may be repeated: all of them.")
]
Source = Annotated[str, typer.Option("--source", help="Where it comes from, for people; else the path.")]
Title = Annotated[str, typer.Option("--title", help="Title of the document; else its name.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of documents of the same names.")]
Document = Annotated[str, typer.Argument(metavar="DOCUMENT", help="Id of a document, or its name with --domain.")]
InDomain = Annotated[str | None, typer.Option("--domain", help="Domain that the name is from.")]
KeepHistory = Annotated[bool, typer.Option("--keep-history", help="Let it stay readable as of earlier.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history.")]
Action = Annotated[str | None, typer.Argument(metavar="[create|clear]", help="What to do; else all domains are listed.")]
Name = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="Which domain.")]
Description = Annotated[str, typer.Option("--description", help="What its documents are about.")]
Encoder = Annotated[EncoderKind, typer.Option("--encoder", help="Which one: static, minilm or hashed.")]

AT_A_TIME = 20  # requests that wait for their ends together


def add(
    paths: Paths,
    domain: Domain = "default",
    meta: Meta = None,
    right: Rights = None,
    source: Source = "",
    title: Title = "",
    replace: Replace = False,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take in documents: txt, md, html, csv, pdf, docx, xlsx, pictures; what cannot be read is refused, and the others go on."""
    files = files_of(paths)
    about = About(domain=domain, meta=pairs(meta), rights=tuple(right or ()), source=source, title=title, replace=replace)
    if dry_run:
        out.say(f"would add {len(files)} document(s) to {domain}: {', '.join(name for name, _ in files[:20])}")
        return
    became = asyncio.run(_added(open_desk(), tenant, files, about, as_json))
    if as_json:
        out.json(became)
    if any(one["state"] == "refused" for one in became):
        raise CheckFailed(f"{sum(one['state'] == 'refused' for one in became)} of {len(became)} documents were refused")


def remove(
    document: Document,
    domain: InDomain = None,
    keep_history: KeepHistory = False,
    reason: Why = "",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Remove a document from every index; its texts and vectors are deleted for good unless its history is to be kept."""
    document_id = document if domain is None else document_id_of(tenant, domain, document)
    request = RemoveDocument(document_id=document_id, keep_history=keep_history, reason=reason)
    if (end := _asked(tenant, request, dry_run)) is not None:
        kept = "found no more; it stays readable as of earlier" if keep_history else "deleted, with all its versions"
        _done(end, f"{document} is {kept}")


def domains(
    action: Action = None,
    domain: Name = None,
    description: Description = "",
    reason: Why = "",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """List domains with what is in them, create one, or clear one: delete all its documents for good."""
    if action is None:
        _list(tenant, as_json)
        return
    if action not in ("create", "clear") or domain is None:
        raise UsageInvalid("say `domains create DOMAIN` or `domains clear DOMAIN`")
    request: Request = (
        CreateDomain(domain=domain, description=description) if action == "create" else ClearDomain(domain=domain, reason=reason)
    )
    if (end := _asked(tenant, request, dry_run)) is None:
        return
    match end.fact:
        case DomainCleared(documents=count):
            _done(end, f"{count} document(s) of {domain} deleted")
        case _:
            _done(end, f"there is a domain {domain}")


def reindex(encoder: Encoder, tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Make vectors by another encoder beside those that serve, and let them serve at once when all are there."""
    if (end := _asked(tenant, Reindex(encoder=encoder), dry_run)) is not None:
        _done(end, f"vectors by {end.fact.encoder if isinstance(end.fact, IndexSwitched) else encoder} serve")


def pairs(given: list[str] | None) -> dict[str, str]:
    """Return `name=value` words as a mapping; raises UsageInvalid."""
    parts = [one.partition("=") for one in given or ()]
    if any(not name or not mark for name, mark, _ in parts):
        raise UsageInvalid("--meta takes NAME=VALUE")
    return {name: value for name, _, value in parts}


async def _added(desk: Desk, tenant: str, files: list[tuple[str, Path]], about: About, quiet: bool) -> list[dict[str, Any]]:
    """Add files, some at a time, tell of each, and wait until the last is found."""
    became: list[dict[str, Any]] = []
    furthest = -1
    for start in range(0, len(files), AT_A_TIME):
        some = files[start : start + AT_A_TIME]
        requests: list[Request] = [await asked_for(desk, file, about) for file in some]
        async for place, end in told(desk, tenant, requests):
            one = _became(some[place][0], end, requests[place])
            became.append(one)
            furthest = max(furthest, end.offset)
            if not quiet:
                out.say(f"{len(became)} of {len(files)}: {_words(one)}")
    if not await known_by(desk, furthest):
        out.say("the read models lag behind; `smolit projection lag` shows how far")
    return sorted(became, key=lambda one: str(one["name"]))


def _became(name: str, end: Told, request: Request) -> dict[str, Any]:
    """Return what became of a file."""
    document_id = document_id_of(getattr(end.fact, "tenant", ""), getattr(request, "domain", ""), name)
    common = {"name": name, "document_id": document_id}
    match end.fact:
        case DocumentAdded(version=version, chunks=chunks):
            return {**common, "state": "replaced" if version > 1 else "added", "version": version, "chunks": chunks}
        case DocumentRefused(reason="unchanged", detail=detail):
            return {**common, "state": "unchanged", "detail": detail}
        case DocumentRefused(reason=reason, detail=detail) | RequestRefused(reason=reason, detail=detail):
            return {**common, "state": "refused", "reason": reason, "detail": detail}
        case _:
            return {**common, "state": "unknown"}


def _words(one: dict[str, Any]) -> str:
    """Say what became of a file."""
    if one["state"] == "refused":
        return f"{one['name']} refused: {one['detail']} ({one['reason']})"
    if one["state"] == "unchanged":
        return f"{one['name']} unchanged"
    return f"{one['name']} {one['state']} as version {one.get('version')}, {one.get('chunks')} piece(s)"


def _asked(tenant: str, request: Request, dry_run: bool) -> Told | None:
    """Send a request and return what came of it, once the read models know; raises CheckFailed where it was refused."""
    desk = open_desk()
    if dry_run:
        out.say("would publish:")
        out.json({"type": request.event_type.wire_name, "data": request})
        return None
    return asyncio.run(_end_of(desk, tenant, request))


async def _end_of(desk: Desk, tenant: str, request: Request) -> Told:
    ends = [end async for _, end in told(desk, tenant, [request])]
    await known_by(desk, ends[0].offset)
    return ends[0]


def _done(end: Told, said: str) -> None:
    """Say that it is done; raises CheckFailed if it was refused."""
    if isinstance(end.fact, DocumentRefused | RequestRefused):
        raise CheckFailed(f"refused: {end.fact.detail} ({end.fact.reason})")
    out.say(said)


def _list(tenant: str, as_json: bool) -> None:
    found = read(open_desk(), lambda connection: knowledge_read.domains(connection, tenant))
    if as_json:
        out.json(found)
        return
    rows = [(one.domain, one.documents, one.chunks, one.created_at, one.cleared_at, one.description) for one in found]
    out.table(("domain", "documents", "pieces", "created", "cleared", "description"), rows)
