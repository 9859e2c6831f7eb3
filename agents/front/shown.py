"""What shows a kind of task in the words that ask for it, and what such a task cannot be done without. Pure.

Descriptions and examples of agents say who is near; these signs say it outright, in English and German, and go before. A turn
that shows a kind and brings nothing to work on is answered with the question for just that.
"""

import re

from msgspec import Struct

from agents.grammar import asks

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_QUOTED = re.compile(r"[\"“„«][^\"”“»]{2,}[\"”“»]|(?<!\w)'[^'\n]*\s[^'\n]*'(?!\w)|:\s*'[^']{2,}'")
_ENDS_QUOTED = re.compile(r"^[^:\n]*?(?:[\"“„«](?P<text>[^\"”“»]{2,})[\"”“»])\W*$")
_HEAD = re.compile(r"[:\n]")  # ends what is asked, where it stands before a colon or in the first line


class Shown(Struct, frozen=True):
    """A kind of task that a turn shows, and the question for what it lacks; None: it brings what it needs.

    `material`: the text that the task is about, where it plainly stands apart from what is asked.
    """

    kind: str
    missing: str | None = None
    question: str | None = None
    material: str | None = None


class _Sign(Struct, frozen=True):
    kind: str
    words: str
    needs: str  # text, numbers or file
    least: int
    question: str


_THE_TEXT = (
    r"(?:text|sentence|article|letter|paragraph|e-?mail|review|comment|message|passage|report|following|below|here"
    r"|satz|artikel|brief)"
)
_THING = (
    r"(?:names?|people|persons?|places?|cities|towns|countries|organi[sz]ations?|companies|dates?|entities|e-?mail addresses"
    r"|phone numbers?|invoice numbers?|amounts?|ibans?|namen|personen|orte|firmen|daten)"
)
# What only says that something is to come.
_POINTS = re.compile(rf"(?:(?:this|that|these|the|my|following|dies\w*|folgende\w*)\s+)*{_THE_TEXT}\W*", re.IGNORECASE)
_SIGNS: tuple[tuple[_Sign, "re.Pattern[str]"], ...] = tuple(
    (one, re.compile(one.words, re.IGNORECASE))
    for one in (
        _Sign(
            "finance",
            r"\b(?:net present value|npv|internal rate of return|irr|instal?lments?|monthly (?:payment|rate)s?|mortgage|loan"
            r"|sharpe ratio"
            r"|kapitalwert|monatliche rate|kredit|darlehen)\b",
            "numbers",
            2,
            "Which figures? Say them in one line, such as `12000 at 5 percent over 24 months`, or the payments and the rate.",
        ),
        _Sign(
            "classify",
            r"\b(?:subject|field|topic|discipline|domain|fach|gebiet)\b.{0,40}\bquestion\b|\bclassify\b.{0,30}\bquestion\b",
            "text",
            2,
            "Which question? Please write it behind a colon.",
        ),
        _Sign(
            "sentiment",
            r"\b(?:positive or negative|good or bad|positiv oder negativ|sentiment|stimmung)\b|\b(?:mood|tone) of\b"
            rf"|\bhow does (?:this|that|the|my) {_THE_TEXT}.{{0,20}}\bsound\b|\bklingt (?:das|dies\w*)\b",
            "text",
            2,
            "Which text is it about? Please paste it.",
        ),
        _Sign(
            "summary",
            r"\b(?:summari[sz]e|summary|summaries|sum up|gist|tl;?dr|zusammenfass\w*|fass\w*\b.*\bzusammen)\b",
            "text",
            6,
            "Which text? Please paste it.",
        ),
        _Sign(
            "entities",
            rf"\b(?:extract|pull out|identify)\b.{{0,40}}\b{_THING}\b"
            rf"|\b(?:find|list|which|what|who|name|welche)\b.{{0,30}}\b{_THING}\b.{{0,40}}(?:\b(?:mentioned|occur|appear"
            rf"|{_THE_TEXT})\b|\bin:)",
            "text",
            2,
            "Which text are they to be found in? Please paste it.",
        ),
        _Sign(
            "forecast",
            r"\b(?:forecast|predict|prognos\w+|vorhersag\w*|voraussag\w*)\b|\bsag\w*\b.*\bvoraus\b"
            r"|\bhow will\b.{0,30}\b(?:sales|revenue|demand|turnover|numbers|prices)\b"
            r"|\berwart\w+\b.{0,30}\b(?:umsatz|absatz|nachfrage)\b",
            "numbers",
            4,
            "From which numbers? Attach them as a CSV file with `/file PATH`, or paste the series.",
        ),
        _Sign(
            "ocr",
            r"\b(?:read|extract|what is|what's|what does|lies|lesen|was steht|entziffer\w*)\b.{0,50}\b(?:scan|picture|photo"
            r"|photograph|image|receipt|screenshot"
            r"|bild|beleg|foto|quittung)\b",
            "file",
            0,
            "Which file? Attach it with `/file PATH`, or paste what it says.",
        ),
        _Sign(
            "arithmetic",
            r"\b(?:calculate|compute|work (?:it|this|that|a sum|something) out|work out (?:a sum|something|this|that|it)"
            r"|the sum of|add up|do the maths?"
            r"|(?:rechne|berechne)\b.{0,12}(?:was|etwas|mir|das))\b",
            "numbers",
            1,
            "Which numbers? Write it out, such as `12 * (7 + 3)`.",
        ),
    )
)
_EXPRESSION = re.compile(
    r"\d\s*\)*\s*(?:[-+*/x×÷^]|\b(?:plus|minus|times|multiplied by|divided by|over|mal|durch|geteilt durch)\b)\s*\(?\s*\d",
    re.IGNORECASE,
)


def shown(text: str, files: int = 0, kinds: frozenset[str] | None = None) -> Shown | None:
    """Return the kind that a turn shows, of those that somebody can do (None: any), with what it lacks; None: it shows none."""
    found = _sign(_HEAD.split(text, maxsplit=1)[0], kinds) or _sign(text, kinds)
    if found is not None:
        sign, start = found
        if files or _brings(sign, text, start):
            return Shown(sign.kind, material=_apart(text, start) if sign.needs == "text" else None)
        return Shown(sign.kind, sign.needs, sign.question) if asks(text) else None
    if _EXPRESSION.search(text) and (kinds is None or "arithmetic" in kinds):
        return Shown("arithmetic")
    return None


def _sign(text: str, kinds: frozenset[str] | None) -> tuple[_Sign, int] | None:
    """Return the first sign that a text has, and where it stands."""
    for sign, pattern in _SIGNS:
        if (kinds is None or sign.kind in kinds) and (found := pattern.search(text)) is not None:
            return sign, found.start()
    return None


def _brings(sign: _Sign, text: str, start: int) -> bool:
    """Say whether a turn brings what is to be worked on: numbers, or words behind a colon, a line's end, or in quotes."""
    if sign.needs == "numbers":
        return len(_NUMBER.findall(text)) >= sign.least
    if sign.needs == "file":
        return False
    quoted = _QUOTED.search(text)
    material = quoted[0] if quoted else _behind(text, start, r"[:\n]\s*|[.?!]\s+")
    return len(material.split()) >= sign.least and not _POINTS.fullmatch(material.strip())


def _apart(text: str, start: int) -> str | None:
    """Return what stands behind a colon or a line's end, or what a turn ends with in quotes."""
    quoted = _ENDS_QUOTED.search(text)
    return quoted["text"].strip() if quoted else _behind(text, start, r":\s+|\n\s*").strip() or None


def _behind(text: str, start: int, ends: str) -> str:
    parts = re.split(ends, text[start:], maxsplit=1)
    return parts[1] if len(parts) > 1 else ""
