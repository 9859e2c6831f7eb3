"""The baseline of entities: names that stand in a dictionary, and firms by the word behind their name. Pure."""

import re
from collections.abc import Iterator

from agents.finding.entity import Entity, Kind, entity

_PLACES = (
    *("Amsterdam", "Athens", "Berlin", "Boston", "Brussels", "Budapest", "Chicago", "Dublin", "Frankfurt", "Geneva", "Hamburg"),
    *("Helsinki", "Hong Kong", "Istanbul", "Lisbon", "London", "Los Angeles", "Lyon", "Madrid", "Melbourne", "Milan", "Montreal"),
    *("Moscow", "Mumbai", "Munich", "New York", "Osaka", "Oslo", "Paris", "Prague", "Rome", "San Francisco", "Seoul", "Shanghai"),
    *("Singapore", "Stockholm", "Sydney", "Tokyo", "Toronto", "Vienna", "Warsaw", "Washington", "Zurich"),
    *(
        "Australia",
        "Austria",
        "Belgium",
        "Brazil",
        "Canada",
        "Chile",
        "China",
        "Denmark",
        "Egypt",
        "Finland",
        "France",
        "Germany",
    ),
    *("Greece", "India", "Ireland", "Italy", "Japan", "Mexico", "Netherlands", "Norway", "Poland", "Portugal", "Russia", "Spain"),
    *("Sweden", "Switzerland", "Turkey", "Ukraine", "United Kingdom", "United States"),
)
_FIRST = (
    *(
        "Alan",
        "Alice",
        "Amelia",
        "Ana",
        "Anna",
        "Carlos",
        "Claire",
        "Daniel",
        "David",
        "Elena",
        "Emily",
        "Emma",
        "Erik",
        "George",
    ),
    *(
        "Hannah",
        "Helen",
        "James",
        "John",
        "Jonas",
        "Julia",
        "Laura",
        "Lars",
        "Linda",
        "Luca",
        "Maria",
        "Mark",
        "Marcus",
        "Martin",
    ),
    *("Mary", "Michael", "Monika", "Noah", "Olivia", "Omar", "Paul", "Peter", "Rebecca", "Robert", "Samuel", "Sarah", "Sofia"),
    *("Stefan", "Susan", "Thomas", "Victor", "William"),
)
_FIRMS = r"(?:Inc|Ltd|LLC|GmbH|AG|plc|Corp|Corporation|Company|Group|Bank|Hospital|University|Insurance|Systems|Software)"
_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("organisation", re.compile(rf"\b(?:[A-Z][\w&-]+ ){{1,3}}{_FIRMS}\b")),
    ("person", re.compile(rf"\b(?:{'|'.join(_FIRST)}) [A-Z][\w'-]+")),
    ("place", re.compile(rf"\b(?:{'|'.join(_PLACES)})\b")),
)


def by_dictionary(text: str) -> Iterator[Entity]:
    """Yield names that are in the dictionary."""
    return (entity(kind, text, *one.span()) for kind, form in _FORMS for one in form.finditer(text))
