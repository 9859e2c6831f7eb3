"""Synthetic documents with labelled entities: templates filled by a seed. They test forms, not prose. Pure."""

import random
from collections.abc import Callable
from datetime import date, timedelta

from bench.agents.labelled import Labelled, labelled

_FIRST = (
    "Agnes",
    "Bernard",
    "Chiara",
    "Dmitri",
    "Esther",
    "Felix",
    "Grace",
    "Hugo",
    "Irene",
    "Jamal",
    "Karin",
    "Leon",
    "Mina",
    "Oscar",
)
_LAST = (
    "Abbott",
    "Bauer",
    "Costa",
    "Duval",
    "Engel",
    "Farrell",
    "Grimaldi",
    "Hayes",
    "Iversen",
    "Jansen",
    "Kovac",
    "Larsen",
    "Mori",
)
_FIRM = ("Copperfield", "Bluewater", "Summit", "Riverside", "Granite", "Meridian", "Falcon", "Orchid", "Lighthouse", "Sterling")
_TRADE = (
    "Trading Ltd",
    "Consulting GmbH",
    "Foods Inc",
    "Insurance",
    "Airlines",
    "Textiles AG",
    "Software",
    "Pharma",
    "Energy",
    "Bank",
)
_PLACE = ("Rome", "Krakow", "Marseille", "Denver", "Nairobi", "Ghent", "Norway", "Peru", "Dresden", "Kyoto", "Seville", "Glasgow")
_IBANS = ("DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NL91 ABNA 0417 1643 00", "AT611904300234573201")
_LONG = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_TEMPLATES = (
    "{person} of {organisation} received invoice {invoice_number} over {money} on {date}.",
    "Please pay {money} to {iban} until {date} and write to {email} once it is done.",
    "{organisation} moved its office from {place} to {place} on {date}, said {person}.",
    "The goods on invoice no. {invoice_number} were sent from {place}; {person} signed for them.",
    "{person} asked {organisation} in {place} for a refund of {money}.",
    "Write to {email} and quote invoice number {invoice_number} dated {date}.",
)


def invented(rng: random.Random) -> Labelled:
    """Return a document of two sentences."""
    text = " ".join(rng.choice(_TEMPLATES) for _ in range(2))
    while "{" in text:
        before, _, rest = text.partition("{")
        kind, _, after = rest.partition("}")
        text = f"{before}[{_MADE[kind](rng)}|{kind}]{after}"
    return labelled(text)


def _person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def _organisation(rng: random.Random) -> str:
    return f"{rng.choice(_FIRM)} {rng.choice(_TRADE)}"


def _date(rng: random.Random) -> str:
    day = date(2019, 1, 1) + timedelta(days=rng.randrange(2_500))
    name = _LONG[day.month - 1]
    forms = (
        day.isoformat(),
        f"{day.day} {name} {day.year}",
        f"{name} {day.day}, {day.year}",
        f"{day:%d.%m.%Y}",
        f"{day:%m/%d/%Y}",
    )
    return rng.choice((*forms, f"{day.day} {name[:3]} {day.year}"))


def _money(rng: random.Random) -> str:
    cents = rng.randrange(500, 5_000_000)
    english, german = f"{cents / 100:,.2f}", f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))
    return rng.choice((f"EUR {english}", f"${english}", f"£{english}", f"€{german}", f"{german} EUR", f"USD {english}"))


def _invoice(rng: random.Random) -> str:
    number = rng.randrange(1_000, 99_999)
    return rng.choice((f"INV-{number}", f"{number}", f"2024/{number}", f"RE{number}", f"A-{number}-{rng.randrange(10)}"))


def _email(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST).lower()}.{rng.choice(_LAST).lower()}@{rng.choice(_FIRM).lower()}.example"


_MADE: dict[str, Callable[[random.Random], str]] = {
    "person": _person,
    "organisation": _organisation,
    "place": lambda rng: rng.choice(_PLACE),
    "date": _date,
    "money": _money,
    "invoice_number": _invoice,
    "email": _email,
    "iban": lambda rng: rng.choice(_IBANS),
}
