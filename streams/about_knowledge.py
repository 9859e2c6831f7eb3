"""From a request about knowledge to the fact that it was made, or why it has none. Pure; `ingest` decides what comes of it."""

import hashlib

from events.event import Fact
from events.knowledge import (
    ClearingRequested,
    DocumentSubmitted,
    DomainCreated,
    ReindexRequested,
    RemovalRequested,
    document_id_of,
)
from events.knowledge_request import AddDocument, ClearDomain, CreateDomain, Reindex, RemoveDocument
from streams.admission import Asked, Refused

KnowledgeRequest = AddDocument | RemoveDocument | CreateDomain | ClearDomain | Reindex


def knowledge_fact(asked: Asked, request: KnowledgeRequest) -> Fact:
    """Return the fact of a request about knowledge.

    Raises:
        Refused: there are no bytes, or they are not the ones that their digest names.
    """
    who = {"tenant": asked.tenant, "request_id": asked.envelope.id}
    by = {**who, "requested_by": asked.envelope.source}
    match request:
        case AddDocument():
            return _submitted(asked, request)
        case RemoveDocument():
            return RemovalRequested(
                **by, document_id=request.document_id, keep_history=request.keep_history, reason=request.reason
            )
        case CreateDomain():
            return DomainCreated(**who, domain=request.domain, description=request.description)
        case ClearDomain():
            return ClearingRequested(**by, domain=request.domain, reason=request.reason)
        case Reindex():
            return ReindexRequested(**by, encoder=request.encoder)


def _submitted(asked: Asked, request: AddDocument) -> DocumentSubmitted:
    sha256, size = _digest(request)
    return DocumentSubmitted(
        tenant=asked.tenant,
        document_id=document_id_of(asked.tenant, request.domain, request.name),
        domain=request.domain,
        name=request.name,
        title=request.title or request.name,
        media_type=request.media_type,
        sha256=sha256,
        size=size,
        source=request.source,
        meta=request.meta,
        rights=request.rights,
        replace=request.replace,
        request_id=asked.envelope.id,
        requested_by=asked.envelope.source,
    )


def _digest(request: AddDocument) -> tuple[str, int]:
    """Return the digest of the bytes, and how many there are; 0 where they lie elsewhere."""
    if request.content is None:
        if request.sha256 is None:
            raise Refused("no_content", "content: send the bytes, or the sha256 under which they lie in the blob store")
        return request.sha256, 0
    found = hashlib.sha256(request.content).hexdigest()
    if request.sha256 not in (None, found):
        raise Refused("wrong_digest", "sha256: the bytes are not the ones that it names")
    return found, len(request.content)
