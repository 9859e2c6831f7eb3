"""Requests about knowledge become facts, or are refused with the field that is wrong; searching fuses ranks."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.document.chunk import Cut
from events.event import Envelope
from events.knowledge import DocumentSubmitted, DomainCreated, document_id_of
from events.knowledge_request import AddDocument, CreateDomain
from handlers.taking_in import facts_of, pieces, told_digest
from projections.knowledge_search import CODED, USUAL, balance_of, fuse
from smolit.errors import NothingFound
from smolit.knowledge.shelf import granted
from smolit.knowledge.taking_in import files_of
from streams.about_knowledge import KnowledgeRequest, knowledge_fact
from streams.admission import Asked, Refused
from tests.knowledge import asked as submitted

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def fact_of(request: KnowledgeRequest) -> object:
    """Return the fact of a request."""
    by = Envelope(id="r-1", source="tests", subject="s", time=NOW, correlation_id="r-1", causation_id="r-1")
    return knowledge_fact(Asked("acme", by, request), request)


def test_a_document_is_named_by_tenant_domain_and_name() -> None:
    """The digest is that of the bytes; a title that nobody gave is the name."""
    fact = fact_of(AddDocument(domain="law", name="a.txt", media_type="text/plain", content=b"hello"))

    assert isinstance(fact, DocumentSubmitted)
    assert fact.document_id == document_id_of("acme", "law", "a.txt") != document_id_of("other", "law", "a.txt")
    assert (fact.sha256, fact.size, fact.title) == (hashlib.sha256(b"hello").hexdigest(), 5, "a.txt")
    assert isinstance(fact_of(CreateDomain(domain="law")), DomainCreated)


@pytest.mark.parametrize(("more", "reason"), [({}, "no_content"), ({"content": b"x", "sha256": "0" * 64}, "wrong_digest")])
def test_bytes_that_are_not_there_or_not_those_are_refused(more: dict[str, object], reason: str) -> None:
    """The reason is a code, the sentence names the field."""
    with pytest.raises(Refused) as refused:
        fact_of(AddDocument(domain="law", name="a.txt", media_type="text/plain", **more))  # type: ignore[arg-type]

    assert refused.value.reason == reason


def test_what_is_said_of_a_document_is_part_of_what_it_is() -> None:
    """The same bytes under other metadata are something new; asked twice, they are not."""
    assert told_digest(submitted()) == told_digest(submitted(request_id="again"))
    assert told_digest(submitted()) != told_digest(submitted(meta={"year": "2030"}))


def test_a_version_is_told_in_parts_and_found_with_the_last_fact() -> None:
    """Every chunk is told once, in order, with a vector of each encoder."""

    class Flat:
        label = "flat:1"

        def encode(self, text: str) -> object:
            import numpy as np

            return np.full(384, len(text), dtype=np.float32)

    text = " ".join(f"Sentence number {number} stands here." for number in range(400))
    parts = pieces(text, lambda one: len(one.split()), Cut(6, 0))
    *chunked, added = facts_of(submitted(), 3, text, "en", parts, [Flat()])  # type: ignore[list-item]

    numbers = [chunk.number for fact in chunked for chunk in fact.chunks]  # type: ignore[attr-defined]
    assert numbers == list(range(len(parts)))
    assert all(len(fact.vectors["flat:1"]) == 768 * len(fact.chunks) for fact in chunked)  # type: ignore[attr-defined]
    assert (added.version, added.chunks) == (3, len(parts))  # type: ignore[attr-defined]
    assert len({fact.slot() for fact in [*chunked, added]}) == len(chunked) + 1


def test_lists_are_fused_by_rank() -> None:
    """What both lists have high up comes first; ties go by name, so the order is always the same."""
    a, b, c = ("a", 1, 0), ("b", 1, 0), ("c", 1, 0)

    assert [place for place, _ in fuse(([a, b], [b, c]), (1.0, 1.0))] == [b, a, c]
    assert [place for place, _ in fuse(([a], [b]), (1.0, 1.0))] == [a, b]
    assert [place for place, _ in fuse(([a], [b]), (1.0, 2.0))] == [b, a]


def test_codes_are_looked_for_by_their_words() -> None:
    """Vectors do not tell E-417 from E-422."""
    assert balance_of("What does E-417 mean?") == CODED
    assert balance_of("the port 8443") == CODED
    assert balance_of("how warm may it be?") == USUAL


def test_a_right_is_granted_with_its_domain() -> None:
    """`law@secret` is the domain `law`, and the right `secret`."""
    wanted = granted("acme", ("law@secret", "docs", "law"), 3)

    assert (wanted.domains, wanted.held, wanted.k) == (("law", "docs"), ("secret",), 3)


def test_a_path_that_is_not_there_is_named_as_one(tmp_path: Path) -> None:
    """`smolit knowledge add one` said "there is no one"."""
    with pytest.raises(NothingFound, match="there is no file or folder 'one'"):
        files_of([Path("one")])
    with pytest.raises(NothingFound, match="nothing to read there"):
        files_of([tmp_path])
