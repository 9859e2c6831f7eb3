"""The documents and questions of `bench/data/knowledge`, and how they come into a database as the system writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agents.document.chunk import Cut
from agents.document.tokens import counter
from agents.vectors import Labelled
from events.event import Event, Fact
from events.ids import derived_id
from events.knowledge import DocumentSubmitted, DomainCreated, EncoderKind, IndexSwitched, document_id_of
from events.stamp import stamp
from handlers.taking_in import facts_of, pieces
from projections.knowledge import KNOWLEDGE
from projections.projection import Logged
from smolit.settings import PROJECT
from store.generation import look, serving
from store.postgres import Connection

DATA = PROJECT / "bench" / "data" / "knowledge"
SECOND = DATA / "second"  # ten documents of other places
HELD_OUT = DATA / "held_out"  # ten of other styles, which nothing was fitted on
TENANT, DOMAIN = "default", "firm"
_THEN = datetime(2030, 1, 1, tzinfo=UTC)


class Asked(Struct, frozen=True):
    """A question, the document that answers it (None: none does), and words of which an answer has to hold one."""

    question: str
    document: str | None
    answers: tuple[str, ...]
    style: Literal["plain", "reworded", "exact", "near", "far"]
    split: Literal["dev", "test"]


def documents(folder: Path = DATA / "documents") -> dict[str, str]:
    """Return the texts of the documents, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}


def questions(path: Path = DATA / "questions.json") -> list[Asked]:
    """Return the questions, in order."""
    return msgspec.json.decode(path.read_bytes(), type=list[Asked])


def submitted(name: str, text: str, domain: str = DOMAIN, **more: object) -> DocumentSubmitted:
    """Return what is told when a document is asked for."""
    raw = text.encode()
    said = {"title": name, "media_type": "text/markdown", "source": "bench", "meta": {}, "rights": (), "replace": False, **more}
    return DocumentSubmitted(
        tenant=TENANT,
        document_id=document_id_of(TENANT, domain, name),
        domain=domain,
        name=name,
        sha256=sha256(raw).hexdigest(),
        size=len(raw),
        request_id=derived_id("bench", domain, name),
        requested_by="bench",
        **said,  # type: ignore[arg-type]
    )


def facts(texts: dict[str, str], encoders: Sequence[Labelled], serving_kind: EncoderKind, cut: Cut = Cut()) -> list[Fact]:  # noqa: B008
    """Return all that is told of some documents; the first encoder serves."""
    told: list[Fact] = [
        IndexSwitched(tenant=TENANT, encoder=encoders[0].label, kind=serving_kind, request_id="bench"),
        DomainCreated(tenant=TENANT, domain=DOMAIN, description="", request_id="bench"),
    ]
    for name, text in texts.items():
        told += facts_of(submitted(name, text), 1, text, "en", pieces(text, counter(), cut), encoders)
    return told


def logged(told: Sequence[Fact], first: int = 0) -> list[Logged]:
    """Return facts as they lie in the log, from an offset on."""
    return [Logged(_event(fact), "bench", 0, first + place) for place, fact in enumerate(told)]


async def write(connection: Connection, told: Sequence[Fact], first: int = 0) -> None:
    """Write facts as the projections do."""
    generation = await serving(connection)
    async with connection.transaction():
        await look(connection, generation.name)
        await KNOWLEDGE.apply(connection, logged(told, first))
        await connection.execute("set local search_path to default")


def _event(fact: Fact) -> Event[Fact]:
    return stamp(fact, source="bench", now=_THEN, correlation="bench", cause="bench")
