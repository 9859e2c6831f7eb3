"""A document that is taken in: its text in pieces, their vectors, and the facts that tell of them. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from msgspec import Struct

from agents.document.chunk import CountTokens, Cut, cut
from events.event import Fact
from events.knowledge import Chunk, ChunksEmbedded, DocumentAdded, DocumentChunked, DocumentSubmitted

PART = 100  # chunks of one fact: some 300 kB at most
MOST_CHUNKS = 50_000
_TOLD = ("sha256", "title", "media_type", "source", "meta", "rights")


class Encodes(Protocol):
    """Turns texts into vectors of one kind; every text alone."""

    @property
    def label(self) -> str:
        """Name and digest: vectors of different ones cannot be compared."""
        ...

    def encode(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Return the unit vector of a text."""
        ...


class Piece(Struct, frozen=True):
    """One chunk, and what its vector is made of: its heading says what it is about."""

    chunk: Chunk

    @property
    def read(self) -> str:
        """Return the text that is embedded."""
        heading = self.chunk.heading
        return f"{heading}. {self.chunk.text}" if heading and heading not in self.chunk.text else self.chunk.text


def told_digest(asked: DocumentSubmitted) -> str:
    """Return the digest of a document's bytes and all that was said of them: equal ones say nothing new."""
    said = {name: getattr(asked, name) for name in _TOLD}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def pieces(text: str, count: CountTokens, how: Cut) -> list[Piece]:
    """Return the chunks of a text, numbered."""
    found = enumerate(cut(text, count, how))
    return [Piece(Chunk(number, one.start, one.end, text[one.start : one.end], one.heading)) for number, one in found]


def packed(parts: Sequence[Piece], encoder: Encodes) -> bytes:
    """Return the vectors of chunks: float16, one after the other."""
    return b"".join(encoder.encode(one.read).astype("<f2").tobytes() for one in parts)


def facts_of(
    asked: DocumentSubmitted, version: int, text: str, language: str, parts: Sequence[Piece], encoders: Sequence[Encodes]
) -> list[Fact]:
    """Return the facts of a version, the last of which makes it found."""
    chunked = [
        DocumentChunked(
            tenant=asked.tenant,
            document_id=asked.document_id,
            version=version,
            part=number,
            chunks=tuple(one.chunk for one in some),
            vectors={encoder.label: packed(some, encoder) for encoder in encoders},
        )
        for number, some in enumerate(parts[start : start + PART] for start in range(0, len(parts), PART))
    ]
    return [*chunked, _added(asked, version, text, language, len(parts))]


def embedded(fact: DocumentChunked, encoder: Encodes) -> ChunksEmbedded:
    """Return the vectors of chunks that were told before, by another encoder."""
    return ChunksEmbedded(
        tenant=fact.tenant,
        document_id=fact.document_id,
        version=fact.version,
        part=fact.part,
        first=fact.chunks[0].number,
        encoder=encoder.label,
        vectors=packed([Piece(chunk) for chunk in fact.chunks], encoder),
    )


def _added(asked: DocumentSubmitted, version: int, text: str, language: str, chunks: int) -> DocumentAdded:
    same: Mapping[str, object] = {
        name: getattr(asked, name)
        for name in (
            "tenant",
            "document_id",
            "domain",
            "name",
            "title",
            "media_type",
            "sha256",
            "size",
            "source",
            "meta",
            "rights",
        )
    }
    more = {"version": version, "language": language, "chars": len(text), "chunks": chunks, "request_id": asked.request_id}
    return DocumentAdded(**same, **more)  # type: ignore[arg-type]
