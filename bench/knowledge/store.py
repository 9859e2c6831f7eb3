"""A store of many pieces, as large as one likes: real sentences, put together anew by a seed; vectors by the static encoder.

The sentences are those of our documents, our docs and the questions of MMLU-Pro. One document in a hundred bears `rare: yes`, one
in ten `tenth: yes`.
"""

import random
from collections.abc import Iterator, Sequence

from agents.vectors import Labelled
from bench.knowledge.corpus import DOMAIN, TENANT, documents, submitted
from events.event import Fact
from events.knowledge import Chunk, DocumentAdded, DocumentChunked, IndexSwitched
from handlers.taking_in import Piece, packed
from learning.outcomes import Outcomes
from smolit.settings import PROJECT

PER_DOCUMENT = 20
RARE, TENTH = {"rare": "yes"}, {"tenth": "yes"}


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text that are worth a piece."""
    found = (
        " ".join(one.split()) for part in text.split("\n") for one in part.replace("? ", "?\n").replace(". ", ".\n").split("\n")
    )
    return [one for one in found if 30 <= len(one) <= 300]


def sentences() -> list[str]:
    """Return every sentence there is to draw from, each once, in one order."""
    texts = [*documents().values(), *(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").rglob("*.md")))]
    texts += [prompt.text for prompt in Outcomes.load(PROJECT / "bench" / "data", "mmlupro_mid9").prompts]
    return list(dict.fromkeys(one for text in texts for one in sentences_of(text)))


def pieces(pool: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Yield so many texts of two to four sentences."""
    rng = random.Random(seed)
    for _ in range(count):
        yield " ".join(rng.sample(pool, rng.randint(2, 4)))


def queries(pool: Sequence[str], count: int, seed: int) -> list[str]:
    """Return so many questions: sentences of which every third word is left out."""
    rng = random.Random(seed)
    picked = rng.sample(pool, count)
    return [" ".join(word for word in one.split() if rng.random() > 1 / 3) or one for one in picked]


def facts(texts: Sequence[str], encoder: Labelled, first: int) -> list[Fact]:
    """Return what is told of texts as documents, numbered from `first`."""
    told: list[Fact] = []
    for start in range(0, len(texts), PER_DOCUMENT):
        number, some = first + start // PER_DOCUMENT, texts[start : start + PER_DOCUMENT]
        meta = {**(RARE if number % 100 == 0 else {}), **(TENTH if number % 10 == 1 else {})}
        asked = submitted(f"{number}", f"{number}", meta=meta)
        parts = [Piece(Chunk(place, 0, len(text), text)) for place, text in enumerate(some)]
        common = {"tenant": TENANT, "document_id": asked.document_id, "version": 1}
        chunks = tuple(one.chunk for one in parts)
        told.append(DocumentChunked(**common, part=0, chunks=chunks, vectors={encoder.label: packed(parts, encoder)}))  # type: ignore[arg-type]
        told.append(_added(number, meta, asked.document_id, len(some)))
    return told


def switched(encoder: Labelled) -> IndexSwitched:
    """Return that an encoder serves."""
    return IndexSwitched(tenant=TENANT, encoder=encoder.label, kind="static", request_id="bench")


def _added(number: int, meta: dict[str, str], document_id: str, chunks: int) -> DocumentAdded:
    return DocumentAdded(
        tenant=TENANT,
        document_id=document_id,
        version=1,
        domain=DOMAIN,
        name=str(number),
        title=str(number),
        media_type="text/plain",
        sha256="0" * 64,
        size=0,
        source="bench",
        meta=meta,
        rights=(),
        language="en",
        chars=0,
        chunks=chunks,
        request_id=f"bench-{number}",
    )
