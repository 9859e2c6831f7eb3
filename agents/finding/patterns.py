"""What has a form of its own: addresses, account numbers, numbers of invoices, sums of money, dates. Pure.

IBANs are checked by their remainder (ISO 13616), dates by the calendar. English and German forms.
"""

import re
from collections.abc import Iterator
from datetime import date

from agents.finding.entity import Entity, Kind, entity, merged

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_GERMAN = {"januar": 1, "februar": 2, "märz": 3, "mai": 5, "juni": 6, "juli": 7, "oktober": 10, "dezember": 12}
_NUMBER_OF = {**{name: number for number, name in enumerate(_MONTHS, 1)}, **_GERMAN} | {
    name[:3]: number for number, name in enumerate(_MONTHS, 1)
}
_NUMBER_OF["sept"] = 9
_MONTH = "|".join(sorted(_NUMBER_OF, key=len, reverse=True))
_CURRENCY = r"(?:EUR|USD|GBP|CHF|JPY|Euro|euros?|dollars?|pounds?|francs?)"
_SIGN = r"(?:US\$|[$€£¥])"
_SUM = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_SCALE = r"(?:\s?(?:million|billion|thousand|Mio\.|Mrd\.|[mkMK]\b))?"

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9](?:[\w-]*\.)+[A-Za-z]{2,}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}(?!\w)")
_INVOICE = re.compile(
    r"\b(?:invoice|inv|rechnung|rechnungsnummer|bill|credit note)\b\.?\s*(?:no|number|nr|num|id)?\b\.?\s*[:#]?\s*"
    r"(?P<number>(?:[A-Z]{1,5}[-/]?)?\d[\w/-]*\d|\d{3,})",
    re.IGNORECASE,
)
_MONEY = re.compile(
    rf"(?<![\w.,])(?:(?:{_SIGN}\s?|{_CURRENCY}\s)(?:{_SUM}){_SCALE}|(?:{_SUM}){_SCALE}\s?(?:{_CURRENCY}\b|[€£]))(?!\w)"
)
_DATES = (
    re.compile(r"(?<![\w-])(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?![\w-])"),
    re.compile(r"(?<![\w.])(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})(?!\w)"),
    re.compile(r"(?<![\w/])(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})(?![\w/])"),
    re.compile(rf"(?<!\w)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s?(?P<name>{_MONTH})\.?,?\s?(?P<y>\d{{4}})(?!\w)", re.IGNORECASE),
    re.compile(rf"(?<!\w)(?P<name>{_MONTH})\.?\s?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s?(?P<y>\d{{4}})(?!\w)", re.IGNORECASE),
)


def find(text: str) -> list[Entity]:
    """Return what has a form of its own, in the order of the text."""
    numbers = [entity("invoice_number", text, *one.span("number")) for one in _INVOICE.finditer(text)]
    dates = [one for one, _ in dates_in(text)]
    return merged((_plain("email", _EMAIL, text), _ibans(text), dates, _plain("money", _MONEY, text), numbers))


def dates_in(text: str) -> list[tuple[Entity, date]]:
    """Return dates with a day, as they stand and as they are meant; of 03/04/2024 the first number is the month if it can be."""
    found = [
        (entity("date", text, *one.span()), meant) for form in _DATES for one in form.finditer(text) if (meant := _meant(one))
    ]
    return sorted(found, key=lambda one: one[0].start)


def _meant(match: re.Match[str]) -> date | None:
    """Return the day that a match means; None: the calendar has none such."""
    parts = match.groupdict()
    year = int(parts["y"])
    if "a" in parts:
        first, second = int(parts["a"]), int(parts["b"])
        return _day(year, first, second) or _day(year, second, first)
    month = _NUMBER_OF[parts["name"].lower()] if "name" in parts else int(parts["m"])
    return _day(year, month, int(parts["d"]))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _plain(kind: Kind, form: re.Pattern[str], text: str) -> Iterator[Entity]:
    return (entity(kind, text, *one.span()) for one in form.finditer(text))


def _ibans(text: str) -> Iterator[Entity]:
    """Yield account numbers whose check digits are right; words behind one may look like a part of it, and are let go."""
    for one in _IBAN.finditer(text):
        start, end = one.span()
        while end - start >= 15 and not is_iban(text[start:end]):
            cut = text.rfind(" ", start, end)
            end = cut if cut > start else start
        if end > start and is_iban(text[start:end]):
            yield entity("iban", text, start, end)


def is_iban(text: str) -> bool:
    """Return whether the check digits of an account number are right."""
    plain = text.replace(" ", "")
    if not (15 <= len(plain) <= 34 and plain.isalnum() and plain.isascii()):
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1
