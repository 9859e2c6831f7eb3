"""Finding entities: what has a form of its own, names by the model, offsets, and the labelled sets they are measured on."""

import random
from pathlib import Path
from time import process_time

import pytest

from agents.finding import patterns
from agents.finding.entity import KINDS, Entity, entity, merged
from agents.finding.names import Names, trimmed
from agents.pipelines.entities import MOST_CHARS
from bench.agents.entities import Hits, baseline, f1, hits
from bench.agents.invented import invented
from bench.agents.labelled import documents, labelled, lines

DATA = Path(__file__).resolve().parents[2] / "bench" / "data"
TEXT = "Maria Lindqvist of Harbour Supplies Ltd paid EUR 4,250.00 on 14 March 2024."


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("pay €1.180,00 now", "money", ["€1.180,00"]),
        ("pay 1 180.50 CHF now", "money", ["1 180.50 CHF"]),
        ("worth $3.5 million, or 40 dollars", "money", ["$3.5 million", "40 dollars"]),
        ("room 12, 100 percent, 3.14", "money", []),
        ("on 2024-02-29 or 2023-02-29", "date", ["2024-02-29"]),
        ("on 31.12.2023 and 12/31/2023 and 31/12/2023", "date", ["31.12.2023", "12/31/2023", "31/12/2023"]),
        ("May 5th, 2024; 5 May 2024; 99 May 2024", "date", ["May 5th, 2024", "5 May 2024"]),
        ("may 2024 be good", "date", []),
        ("Invoice No. INV-20931 and invoice 2024-0117", "invoice_number", ["INV-20931", "2024-0117"]),
        ("the invoice is late, 12 days", "invoice_number", []),
        ("write to a.b+c@shop.example, not to a@b", "email", ["a.b+c@shop.example"]),
        ("to DE89 3704 0044 0532 0130 00 today", "iban", ["DE89 3704 0044 0532 0130 00"]),
        ("to GB29NWBK60161331926819 BEFORE NOON", "iban", ["GB29NWBK60161331926819"]),
        ("to DE88 3704 0044 0532 0130 00 today", "iban", []),
    ],
)
def test_what_has_a_form_is_found_and_nothing_else(text: str, kind: str, found: list[str]) -> None:
    """Days are days of the calendar, account numbers have right check digits."""
    assert [one.text for one in patterns.find(text) if one.kind == kind] == found


@pytest.mark.parametrize("part", ["1", "A", "a@", "a.", "EUR ", "DE89 ", "1,1", "1.1.", "invoice "])
def test_no_text_takes_long(part: str) -> None:
    """The longest text that is taken is looked through in a moment, however much it looks like what is sought."""
    text = (part * MOST_CHARS)[:MOST_CHARS]
    began = process_time()
    patterns.find(text)

    assert process_time() - began < 2.0


def test_of_two_that_overlap_the_first_finder_wins() -> None:
    """The others stay, in the order of the text."""
    first = [entity("date", "on 2024-01-01 in Oslo", 3, 13)]
    second = [entity("place", "on 2024-01-01 in Oslo", 0, 7), entity("place", "on 2024-01-01 in Oslo", 17, 21)]

    assert merged((first, second)) == [first[0], second[1]]


@pytest.mark.parametrize(
    ("text", "kept"), [("the Oslo Group's ", "Oslo Group"), ("“Acme”", "“Acme”"), ("(Acme).", "Acme"), ("the ", ""), ("...", "")]
)
def test_what_surrounds_a_name_is_no_part_of_it(text: str, kept: str) -> None:
    """Articles, possessives and marks are left out."""
    start, end = trimmed(text, 0, len(text))

    assert text[start:end] == kept


def test_the_model_finds_names_where_they_stand() -> None:
    """Offsets give exactly the text; an empty one gives nothing."""
    names = Names.load()
    found = names.find(TEXT)

    assert {(one.kind, one.text) for one in found} == {
        ("person", "Maria Lindqvist"),
        ("organisation", "Harbour Supplies Ltd"),
        ("money", "EUR 4,250.00"),
        ("date", "14 March 2024"),
    }
    assert all(TEXT[one.start : one.end] == one.text for one in found)
    assert names.find("") == []


def test_the_labelled_documents_are_whole() -> None:
    """At least sixty, every mark read, every offset exact, every account number right, every kind there."""
    found = documents(DATA / "entities.txt")

    assert len(found) >= 60
    assert {one.kind for document in found for one in document.entities} == set(KINDS)
    for document in found:
        assert not set("[]|") & set(document.text)
        assert all(document.text[one.start : one.end] == one.text for one in document.entities)
        assert all(patterns.is_iban(one.text) for one in document.entities if one.kind == "iban")


def test_entity_free_texts_hold_what_they_say() -> None:
    """No digit, no sign of money, and no capital but after a full stop, a colon or at the start."""
    for text in lines(DATA / "entity_free.txt"):
        assert not any(char.isdigit() or char in "$€£@" for char in text)
        assert [word for word in text.split()[1:] if word[0].isupper()] == []


def test_invented_documents_follow_the_seed() -> None:
    """The same seed gives the same document, with offsets that are exact."""
    one, again = (invented(random.Random("1/2")) for _ in range(2))

    assert one == again != invented(random.Random("1/3"))
    assert all(one.text[found.start : found.end] == found.text for found in one.entities)


def test_a_find_counts_if_kind_and_place_are_right() -> None:
    """F1 by hand: one right of two found and three labelled."""
    document = labelled("[Anna Berg|person] met [Oslo|place] on [2024-01-01|date]")
    found = [document.entities[0], Entity("person", "Oslo", 14, 18)]

    assert hits(document, found, None) == Hits(1, 2, 3)
    assert f1([hits(document, found, None)]) == pytest.approx(2 * 1 / 5)
    assert f1([]) == 0.0


def test_the_baseline_knows_what_stands_in_its_dictionary() -> None:
    """It is no straw man: it knows forms, cities, first names, and what firms are called."""
    assert {(one.kind, one.text) for one in baseline("Maria Berg of Acme Robotics Inc flew to Paris on 2024-01-01")} == {
        ("person", "Maria Berg"),
        ("organisation", "Acme Robotics Inc"),
        ("place", "Paris"),
        ("date", "2024-01-01"),
    }
