"""Knowledge: documents taken in, replaced and removed, with their chunks and vectors. Key: the tenant.

One partition gives all of it one order, so an offset names a state of the whole store. What is asked for stands before what came
of it: `ingest` alone decides, in that order. Chunks carry their text and vectors, so every index over them is a projection.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Ident, Name, Sentence, says
from events.ids import derived_id
from events.model import Sha256
from events.topics import KNOWLEDGE

EncoderKind = Literal["static", "minilm", "hashed"]
DomainName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)"), says("A family of documents.")
]
DocumentId = Annotated[
    str,
    Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)"),
    says("Id of the document, derived from tenant, domain and name."),
]
DocumentName = Annotated[str, Meta(min_length=1, max_length=512), says("What the document is called within its domain.")]
Metadata = Annotated[
    dict[Ident, Annotated[str, Meta(max_length=1_000)]], Meta(max_length=64), says("What is known of it, by name.")
]
Rights = Annotated[
    tuple[Name, ...], Meta(max_length=64), says("What a reader has to hold, all of them; empty: whoever may read the domain.")
]
Version = Annotated[int, Meta(ge=1), says("Version of the document, from 1; never used again, also after a removal.")]
RequestId = Annotated[str, says("The request that it follows from.")]
Encoder = Annotated[str, says("What made the vectors: name and digest; vectors of different ones cannot be compared.")]
# Of a document's facts these say what people wrote: the event log in Postgres leaves them out, so that what is removed is gone.
_SAID = frozenset({"name", "title", "source", "meta"})


def document_id_of(tenant: str, domain: str, name: str) -> str:
    """Return the id of the document of this name."""
    return derived_id("document", tenant, domain, name)


class Chunk(Struct, frozen=True):
    """A piece of a document's text, from `start` to `end` in characters."""

    number: Annotated[int, says("Its place in the document, from 0.")]
    start: Annotated[int, says("First character in the document's text.")]
    end: Annotated[int, says("Behind the last character.")]
    text: Annotated[str, says("The piece itself.")]
    heading: Annotated[str, says("The heading that it stands under.")] = ""


@event("document.submitted", version=1, topic=KNOWLEDGE, key="tenant")
class DocumentSubmitted(Fact, frozen=True, kw_only=True):
    """Somebody asked to take in a document; its bytes lie in the blob store until it is done."""

    unlogged: ClassVar[frozenset[str]] = _SAID

    document_id: DocumentId
    domain: DomainName
    name: DocumentName
    title: str
    media_type: str
    sha256: Sha256
    size: int
    source: str
    meta: Metadata
    rights: Rights
    replace: bool
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "document", "submitted", self.requested_by, self.request_id)


@event("document.removal_requested", version=1, topic=KNOWLEDGE, key="tenant")
class RemovalRequested(Fact, frozen=True, kw_only=True):
    """Somebody asked to remove a document. `keep_history`: it stays readable as of earlier; else nothing of it does."""

    document_id: DocumentId
    keep_history: bool
    reason: Sentence
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "document", "removal_requested", self.requested_by, self.request_id)


@event("domain.created", version=1, topic=KNOWLEDGE, key="tenant")
class DomainCreated(Fact, frozen=True, kw_only=True):
    """A domain is there; it stays, also when it is cleared."""

    domain: DomainName
    description: Sentence
    request_id: RequestId

    def slot(self) -> tuple[str | int, ...]:
        """A domain is created once."""
        return (self.tenant, "domain", self.domain, "created")


@event("domain.clearing_requested", version=1, topic=KNOWLEDGE, key="tenant")
class ClearingRequested(Fact, frozen=True, kw_only=True):
    """Somebody asked to remove every document of a domain."""

    domain: DomainName
    reason: Sentence
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "domain", "clearing_requested", self.requested_by, self.request_id)


@event("reindex.requested", version=1, topic=KNOWLEDGE, key="tenant")
class ReindexRequested(Fact, frozen=True, kw_only=True):
    """Somebody asked for vectors of another encoder; it serves once all chunks have theirs."""

    encoder: EncoderKind
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "reindex", "requested", self.requested_by, self.request_id)


@event("document.chunked", version=1, topic=KNOWLEDGE, key="tenant")
class DocumentChunked(Fact, frozen=True, kw_only=True):
    """Some chunks of a version, in order, with a vector of each: float16, little-endian, one after the other."""

    unlogged: ClassVar[frozenset[str]] = frozenset({"chunks", "vectors"})

    document_id: DocumentId
    version: Version
    part: Annotated[int, says("Which part of the version, from 0.")]
    chunks: tuple[Chunk, ...]
    vectors: Annotated[dict[str, bytes], says("Vectors of the chunks, by encoder.")]

    def slot(self) -> tuple[str | int, ...]:
        """Each part is told once."""
        return (self.tenant, "document", self.document_id, self.version, "chunked", self.part)


@event("document.added", version=1, topic=KNOWLEDGE, key="tenant")
class DocumentAdded(Fact, frozen=True, kw_only=True):
    """A version is there as a whole, and is found from here on; the version before, if there is one, no longer is."""

    unlogged: ClassVar[frozenset[str]] = _SAID

    document_id: DocumentId
    version: Version
    domain: DomainName
    name: DocumentName
    title: str
    media_type: str
    sha256: Sha256
    size: int
    source: str
    meta: Metadata
    rights: Rights
    language: str
    chars: int
    chunks: int
    request_id: RequestId

    def slot(self) -> tuple[str | int, ...]:
        """A version is added once."""
        return (self.tenant, "document", self.document_id, self.version, "added")


@event("document.refused", version=1, topic=KNOWLEDGE, key="tenant")
class DocumentRefused(Fact, frozen=True, kw_only=True):
    """Nothing came of a request about knowledge: `reason` is a code, `detail` a sentence."""

    document_id: Annotated[str | None, says("The document, where one was named.")]
    domain: Annotated[str | None, says("The domain, where one was named.")]
    reason: str
    detail: str
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One end per request."""
        return (self.tenant, "document", "refused", self.requested_by, self.request_id)


@event("document.removed", version=1, topic=KNOWLEDGE, key="tenant")
class DocumentRemoved(Fact, frozen=True, kw_only=True):
    """A document is found no more. `erased`: its texts and vectors are deleted, those of earlier versions too."""

    document_id: DocumentId
    version: Version
    domain: DomainName
    erased: bool
    request_id: RequestId

    def slot(self) -> tuple[str | int, ...]:
        """A version is removed once; erasing what was removed before is told again."""
        return (self.tenant, "document", self.document_id, self.version, "removed", int(self.erased))


@event("domain.cleared", version=1, topic=KNOWLEDGE, key="tenant")
class DomainCleared(Fact, frozen=True, kw_only=True):
    """Every document of a domain was removed; each has a fact of its own before this one."""

    domain: DomainName
    documents: Annotated[int, says("How many that were.")]
    request_id: RequestId
    requested_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "domain", "cleared", self.requested_by, self.request_id)


@event("chunks.embedded", version=1, topic=KNOWLEDGE, key="tenant")
class ChunksEmbedded(Fact, frozen=True, kw_only=True):
    """Chunks that were there have vectors of another encoder, too."""

    unlogged: ClassVar[frozenset[str]] = frozenset({"vectors"})

    document_id: DocumentId
    version: Version
    part: Annotated[int, says("The part of the version that they were told in.")]
    first: Annotated[int, says("Number of the first chunk; the others follow.")]
    encoder: Encoder
    vectors: Annotated[bytes, says("Float16, little-endian, one after the other.")]

    def slot(self) -> tuple[str | int, ...]:
        """Once for each part and encoder."""
        return (self.tenant, "document", self.document_id, self.version, "embedded", self.part, self.encoder)


@event("reindex.begun", version=1, topic=KNOWLEDGE, key="tenant")
class ReindexBegun(Fact, frozen=True, kw_only=True):
    """Chunks that are told from here on have vectors of this encoder, too; those told before get theirs now."""

    encoder: Encoder
    kind: EncoderKind
    request_id: RequestId

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "reindex", "begun", self.request_id)


@event("index.switched", version=1, topic=KNOWLEDGE, key="tenant")
class IndexSwitched(Fact, frozen=True, kw_only=True):
    """From here on texts are found by the vectors of this encoder."""

    encoder: Encoder
    kind: EncoderKind
    request_id: RequestId

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "index", "switched", self.request_id)


KnowledgeFact = (
    DocumentSubmitted
    | RemovalRequested
    | DomainCreated
    | ClearingRequested
    | ReindexRequested
    | ReindexBegun
    | DocumentChunked
    | DocumentAdded
    | DocumentRefused
    | DocumentRemoved
    | DomainCleared
    | ChunksEmbedded
    | IndexSwitched
)
ASKED = (DocumentSubmitted, RemovalRequested, ClearingRequested, ReindexRequested, DomainCreated)
OUTCOMES = (DocumentAdded, DocumentRefused, DocumentRemoved, DomainCleared, DomainCreated, IndexSwitched)
