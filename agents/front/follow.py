"""Follow-ups: a turn that only makes sense after the task before it, made whole. By rules, English and German. Pure.

`And over 36 months?` is the task before with another number, `times two` goes on with its result, `And this one: ...` is the same
about another text; for an assistant what was asked and answered goes along.
"""

import re

from msgspec import Struct

_ASSISTANT = "assistant"
_MOST_WORDS = 14  # of a follow-up, what stands behind a colon apart: longer ones stand by themselves
_LEAD = re.compile(
    r"^\W*(?:ok(?:ay)?[, ]+)?(?:and|now|then|also|or|but|what about|how about|what if|the same|same|und|nun|jetzt|dann|oder|auch"
    r"|was ist mit|wie ist es mit|dasselbe)\b",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(it|that|this|them|those|the result|he|she|his|her|shorter|longer|cheaper|else|es|das|davon|er|sie|kürzer)\b", re.I
)
_YOU = re.compile(r"\b(you|your|du|dich|dir|dein\w*|i|ich)\b", re.IGNORECASE)
_NUMBER = r"(?P<number>-?\d[\d_]*(?:[.,]\d+)?|two|three|four|five|six|seven|eight|nine|ten|zwei|drei|vier|fünf|zehn)"
_WORDS = {
    **dict(zip("two three four five six seven eight nine ten".split(), range(2, 11), strict=True)),  # noqa: SIM905
    **{"zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "zehn": 10},
}
_STEPS: tuple[tuple[str, "re.Pattern[str]"], ...] = tuple(
    (
        sign,
        re.compile(
            rf"(?:{words})\s*(?:that |it |this |das |by |durch |with |mit )*{_NUMBER}\b(?!\s*(?:%|percent))", re.IGNORECASE
        ),
    )
    for sign, words in (
        ("*", r"\btimes|\bmultipl\w+|\bmal\b|[*×]"),
        ("/", r"\bdivided?\b|\bdurch\b|\bgeteilt\b|/"),
        ("-", r"\bminus\b|\bless\b|\bsubtract\b|\btake away\b|\bweniger\b|\bzieh\b"),
        ("+", r"\bplus\b|\badd\b|\baddiere\b|\+"),
    )
)
_MEASURED = re.compile(r"(?P<number>\d[\d.,]*)\s*(?P<unit>%|[^\W\d_]+)")
_UNITS = {"%": "percent", "prozent": "percent", "monate": "month", "monat": "month", "jahre": "year", "jahr": "year"}


class Before(Struct, frozen=True):
    """The task that was answered last: what was asked of whom, what the answer reads, and its number where it is one."""

    text: str
    kind: str | None
    answer: str
    value: str | None = None


def followed(text: str, before: Before) -> str | None:
    """Return the whole task that a follow-up is, for the same kind of agent; None: it stands by itself."""
    head, colon, material = text.partition(":")
    if len(head.split()) > _MOST_WORDS:
        return None
    if colon and material.strip():
        return _about_another(head, material.strip(), before)
    leads = bool(_LEAD.match(text))
    if before.value is not None and (step := _step(text, before.value, leads)) is not None:
        return step
    if leads and (changed := _measured_otherwise(text, before.text)) is not None:
        return changed
    if before.kind == _ASSISTANT and not _YOU.search(text) and (leads or _BACK.search(text)):
        return f"First I asked: {before.text}\nThe answer was: {before.answer}\nNow: {text}"
    return None


def _about_another(head: str, material: str, before: Before) -> str | None:
    """Return the task before about another text; what was asked of the first one stands before its colon."""
    asked, colon, _ = before.text.partition(":")
    return f"{asked}: {material}" if colon and _LEAD.match(head) else None


def _step(text: str, value: str, leads: bool) -> str | None:
    """Return the result before, worked on: `and plus 3`, `times two`; an expression of its own is none."""
    found = next(((sign, at) for sign, pattern in _STEPS if (at := pattern.search(text)) is not None), None)
    if found is None:
        return None
    sign, at = found
    before = text[: at.start()]
    if re.search(r"\d", before) or re.search(r"\d", text[at.end() :]) or not (leads or not before.strip(" ,.")):
        return None
    number = at["number"].lower()
    return f"({value}) {sign} {_WORDS.get(number, number.replace(',', '.'))}"


def _measured_otherwise(text: str, before: str) -> str | None:
    """Return the task before with the numbers of the follow-up in the place of those that have the same unit."""
    whole, given = before, list(_MEASURED.finditer(text))
    for one in given:
        unit = _unit(one["unit"])
        same = [at for at in _MEASURED.finditer(whole) if _unit(at["unit"]) == unit]
        if len(same) != 1:
            return None
        whole = whole[: same[0].start("number")] + one["number"] + whole[same[0].end("number") :]
    return whole if given else None


def _unit(word: str) -> str:
    plain = word.lower()
    return _UNITS.get(plain, plain.removesuffix("s"))
