"""What has a form of its own: addresses, account numbers, numbers of invoices, sums of money, dates. Pure.

IBANs are checked by their remainder (ISO 13616), dates by the calendar. English and German forms.
"""

import re
from collections.abc import Iterator
from datetime import date

from agents.day import days_in
from agents.finding.entity import Entity, Kind, entity, merged

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


def find(text: str) -> list[Entity]:
    """Return what has a form of its own, in the order of the text."""
    numbers = [entity("invoice_number", text, *one.span("number")) for one in _INVOICE.finditer(text)]
    dates = [one for one, _ in dates_in(text)]
    return merged((_plain("email", _EMAIL, text), _ibans(text), dates, _plain("money", _MONEY, text), numbers))


def dates_in(text: str) -> list[tuple[Entity, date]]:
    """Return days, as they stand and as they are meant."""
    return [(entity("date", text, one.start, one.end), one.day) for one in days_in(text)]


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
