"""What outsiders may ask about knowledge; see `events/request.py`."""

from typing import Annotated

from msgspec import Meta

from events.event import event
from events.field import Sentence, says
from events.knowledge import DocumentId, DocumentName, DomainName, EncoderKind, Metadata, Rights
from events.model import Sha256
from events.request import Reason, Request
from events.topics import REQUESTS


@event("document.add", version=1, topic=REQUESTS, key="domain")
class AddDocument(Request, frozen=True, kw_only=True):
    """Take in this document; either its bytes are here, or they lie in the blob store already."""

    domain: DomainName
    name: DocumentName
    media_type: Annotated[str, Meta(min_length=1, max_length=128), says("What it is, as in `application/pdf`.")]
    content: Annotated[bytes | None, says("The bytes, in base64; null: they lie in the blob store.")] = None
    sha256: Annotated[Sha256 | None, says("Digest of the bytes; null: they are here.")] = None
    title: Annotated[str, Meta(max_length=512), says("Its title; empty: its name.")] = ""
    source: Annotated[str, Meta(max_length=2_000), says("Where it comes from, for people.")] = ""
    meta: Metadata = {}
    rights: Rights = ()
    replace: Annotated[bool, says("Whether it may take the place of a document of the same name.")] = False


@event("document.remove", version=1, topic=REQUESTS, key="document_id")
class RemoveDocument(Request, frozen=True, kw_only=True):
    """Remove a document: from every index, and for good unless its history is to be kept."""

    document_id: DocumentId
    keep_history: Annotated[bool, says("Whether it stays readable as of earlier.")] = False
    reason: Reason = ""


@event("domain.create", version=1, topic=REQUESTS, key="domain")
class CreateDomain(Request, frozen=True, kw_only=True):
    """Let there be a domain."""

    domain: DomainName
    description: Annotated[Sentence, says("What its documents are about.")] = ""


@event("domain.clear", version=1, topic=REQUESTS, key="domain")
class ClearDomain(Request, frozen=True, kw_only=True):
    """Remove every document of a domain for good."""

    domain: DomainName
    reason: Reason = ""


@event("knowledge.reindex", version=1, topic=REQUESTS, key="encoder")
class Reindex(Request, frozen=True, kw_only=True):
    """Make vectors by another encoder beside those that serve, and let them serve once all are there."""

    encoder: Annotated[EncoderKind, says("Which one.")]
