"""Personal data in texts for logs: e-mail addresses, phone numbers, IBANs and card numbers, the last two by their check digits.

IBAN: ISO 13616 (modulo 97). Cards: ISO/IEC 7812 (Luhn). A number that fails its check is left alone: it is no account.
"""

import re

_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+|00)\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d{2,4}(?:[ ./-]?\d{2,4}){1,4}(?![\w-])"
    r"|(?<![\w.+-])(?:\(\d{3}\) ?|0\d{2,4}[ /-]|\d{3}-)\d{3}[ -]?\d{3,5}(?![\w-])"
)


def hide(text: str) -> str:
    """Return a text in which personal data is replaced by what it was, such as `[e-mail]`."""
    text = _EMAIL.sub("[e-mail]", text)
    text = _IBAN.sub(lambda found: _iban(found.group()), text)
    text = _CARD.sub(lambda found: "[card]" if is_card(found.group()) else found.group(), text)
    return _PHONE.sub("[phone]", text)


def is_iban(text: str) -> bool:
    """Say whether a text is an IBAN by its check digits."""
    plain = text.replace(" ", "")
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def is_card(text: str) -> bool:
    """Say whether a text is a card number by its check digit."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(found: str) -> str:
    """Return what stands for a text that looks like an IBAN; words behind it may have been taken in with it."""
    plain = found
    while len(plain.replace(" ", "")) >= 15:
        if is_iban(plain):
            return "[IBAN]" + found[len(plain) :]
        plain = plain[:-1].rstrip()
    return found
