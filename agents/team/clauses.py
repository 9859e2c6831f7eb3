"""What a text asks for, one thing after the other: requests, what they are about, and which needs the result of which. Pure.

Rules, English and German: lists with numbers or dashes, requests in sentences of their own, `and` before a request, `then`.
It is cautious: what does not plainly begin like a request stays with the request before it, and what stands in quotes is whole.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from agents.grammar import FIRST, NEXT, ORDER, ORDERED, POLITE, REQUEST, VERB, WH

MOST_CLAUSES = 12
_LONGEST = 4_000  # characters that are looked through for requests; what they are about may be longer

_ITEM = re.compile(r"(?:^|(?<=\s))\(?(\d{1,2}|[a-h])[.)][ \t]+(?=\S)", re.MULTILINE)
_DASH = re.compile(r"^[ \t]*[-*•][ \t]+(?=\S)", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=\S)|;\s+|\n+")
_THEN = re.compile(rf"\s*(?:[,;]\s*|\s)(?:and |und )?{NEXT}[,\s]+(?={POLITE}(?:{ORDER}|(?:{WH})\b))", re.IGNORECASE)
_AND = re.compile(
    rf"\s*(?:;|,?\s(?:and|und|as well as|sowie))\s+(?={ORDERED}|(?P<asks>{WH})\b)|\s*[,;]\s+(?={ORDERED})", re.IGNORECASE
)
# What goes on with something that was named before does not stand alone.
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|he|she|another|ones|es|sie|ihn|ihm|er|ihre?)\b", re.IGNORECASE)
_HALF = re.compile(
    r"^\W*(?:add|subtract|multiply|divide|addiere|subtrahiere|multipliziere|teile)\b(?!.*\b(?:to|from|by|with|zu|von|mit|durch)\b)",
    re.IGNORECASE,
)
_TASKS = re.compile(r"\b(?:do|tasks?|things|steps|following|aufgaben|folgende\w*)$", re.IGNORECASE)
# Of a text that is spoken of `it` may be said later.
_TEXT = re.compile(
    r"\b(?:this|that|the|following|below|dies\w*|der|die|das|den|dem|folgende\w*) (?:following )?"
    r"(?:text|review|article|letter|comment|message|paragraph|story|e-?mail|passage|sentence|"
    r"artikel|bewertung|brief|kommentar|nachricht|absatz|geschichte|mail|satz)\b",
    re.IGNORECASE,
)
_CAN_IT = re.compile(
    rf"^{POLITE}(?:is|are|was|were|does|did|do|would|will|should|can|ist|sind|hat|haben|kann|wird)\b", re.IGNORECASE
)
_OWN = re.compile(r"[\d\x00]")
_LATER = re.compile(rf"^{POLITE}{FIRST}{NEXT}\b", re.IGNORECASE)
_INNER = re.compile(r"^(\S+) (?:dann|danach|anschließend|zuerst|zunächst)\b", re.IGNORECASE)
_MORE = re.compile(
    rf"^(?:(?:also|and|und|außerdem|auch|now|jetzt),? (?={POLITE}(?:{ORDER}|(?:{WH})\b))|{NEXT}[,\s]+{POLITE}{ORDER})",
    re.IGNORECASE,
)
_STRIP = re.compile(rf"^(?:(?:and|und)\s+)?{FIRST}(?:{NEXT}[,\s]+)?", re.IGNORECASE)
RESULT = re.compile(
    r"\b(?:the|that|this|its|both|these|those|das|die|dem|der|diese[sr]?|beide) (?:final |two )?"
    r"(?:results?|summary|summaries|sum|answers?|outcomes?|translations?|"
    r"ergebnis(?:se)?|zusammenfassung(?:en)?|summe|übersetzung|antwort(?:en)?)\b(?! of\b)",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(?:it|them|that|this|es|sie|ihn|beides|both)\b(?! (?:is|are|was|has|text|review|article)\b)", re.IGNORECASE
)
_ABOUT = re.compile(
    r"\b(?:this|that|these|it|its|they|he|she|following|below|above|the (?:text|review|article|letter|comment|message|"
    r"paragraph|story|writer|author|customer|e-?mail|passage|following)|dies\w*|es|sie|ihn|folgende\w*|"
    r"(?:der|die|das|den|dem) (?:text|artikel|bewertung|brief|kommentar|nachricht|absatz|geschichte|mail|kunde|autor))\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"\n]+\"|“[^”\n]+”|„[^“”\n]+[“”]|«[^»\n]+»|(?<!\w)'[^'\n]+'(?!\w)|```.*?```", re.DOTALL)
_HELD = re.compile(r"\x00(\d+)\x00")


class Clause(Struct, frozen=True):
    """One request: what it says, what it is about (None: it says that itself), and whose results it needs, by place.

    `after`: which must be over before, though nothing of them is used.
    """

    text: str
    about: str | None = None
    uses: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


class Clauses(NamedTuple):
    """The requests of a text; `apart`: they stand in sentences or lines of their own, or one comes after the other."""

    found: tuple[Clause, ...]
    apart: bool


class _Piece(NamedTuple):
    text: str
    then: bool  # comes after the one before


def clauses(text: str) -> Clauses:
    """Return the requests of a text, one at least; of a text that is not plainly several, the whole."""
    whole = Clauses((Clause(text.strip()),), False)
    quotes: list[str] = []
    masked = _QUOTED.sub(lambda found: _hold(found[0], quotes), text.strip())
    asked, about = _told_apart(masked)
    if len(asked) > _LONGEST or "\x00" in text:
        return whole
    pieces, apart = _pieces(asked, about is not None)
    if not 2 <= len(pieces) <= MOST_CLAUSES or any(_alone(one.text) for one in pieces):
        return whole
    made = _related([one._replace(text=_released(one.text, quotes)) for one in pieces], _released(about or "", quotes) or None)
    return Clauses(tuple(made), apart or any(one.then for one in pieces))


def _hold(quoted: str, quotes: list[str]) -> str:
    quotes.append(quoted)
    return f"\x00{len(quotes) - 1}\x00"


def _released(text: str, quotes: Sequence[str]) -> str:
    return _HELD.sub(lambda found: quotes[int(found[1])], text)


def _told_apart(text: str) -> tuple[str, str | None]:
    """Return what is asked, and the text that it is about, which comes after a colon or an empty line, or goes before."""
    head, gap, rest = text.partition("\n\n")
    if gap and _listed(head) and not _listed(rest):
        return head, rest.strip()
    if gap and _ABOUT.search(head) and not _ITEM.search(rest) and REQUEST.match(head):
        return head.rstrip(": "), rest.strip()
    before, gap, last = text.rpartition("\n\n")
    if gap and not REQUEST.match(before) and REQUEST.match(last) and _ABOUT.search(last):
        return last, before.strip()
    head, colon, rest = text.partition(":")
    told, more = _more(rest.strip())
    if colon and REQUEST.match(head) and not _TASKS.search(head) and len(told.split()) >= 3 and not _listed(rest):
        return f"{head}. {more}" if more else head, told
    return text, None


def _more(text: str) -> tuple[str, str]:
    """Return a text without the requests at its end that say that they come after it, and those."""
    parts = [one for one in _SENTENCE.split(text) if one.strip()]
    begins = next((place for place, one in enumerate(parts) if place and _MORE.match(one)), len(parts))
    return (text, "") if begins == len(parts) else (" ".join(parts[:begins]), " ".join(parts[begins:]))


def _pieces(text: str, about: bool) -> tuple[list[_Piece], bool]:
    """Return the requests in what is asked, and whether they stand apart."""
    listed = _listed(text)
    if listed:
        return [_Piece(one, False) for one in listed], True
    sentences = _sentences(text)
    pieces = [piece for sentence in sentences for piece in _within(sentence, about)]
    return pieces, len(sentences) > 1


def _listed(text: str) -> list[str]:
    """Return the items of a list: numbers or letters in a row from the first, or dashes; each says something."""
    found = _in_row(list(_ITEM.finditer(text))) or list(_DASH.finditer(text))
    if len(found) < 2:
        return []
    ends = [*(one.start() for one in found[1:]), len(text)]
    items = [text[one.end() : end].strip(" \t\n,;") for one, end in zip(found, ends, strict=True)]
    items = [re.sub(r"[,;]? (?:and|und)$", "", one) for one in items]
    head = text[: found[0].start()].strip()
    sound = all(REQUEST.match(one) or VERB.match(one) or one.endswith("?") for one in items)
    return items if sound and (not head or head.endswith(":") or len(head.split()) <= 12) else []


def _in_row(found: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """Return the marks 1, 2, 3, ... or a, b, c, ... among what looks like marks: a number that ends a sentence does, too."""
    kept: list[re.Match[str]] = []
    for one in found:
        if one[1] == (str(len(kept) + 1) if not kept or kept[0][1] == "1" else chr(ord("a") + len(kept))) or (
            not kept and one[1] == "a"
        ):
            kept.append(one)
    return kept if len(kept) > 1 else []


def _sentences(text: str) -> list[str]:
    """Return sentences that ask for something, each with those after it that ask for nothing."""
    made: list[str] = []
    for one in (part.strip() for part in _SENTENCE.split(text)):
        if made and one and not (REQUEST.match(one) and REQUEST.match(made[-1])):
            made[-1] = f"{made[-1]} {one}"
        elif one:
            made.append(one)
    return made


def _within(sentence: str, about: bool) -> Iterator[_Piece]:
    """Yield the requests within a sentence that is one itself."""
    if not REQUEST.match(sentence):
        yield _Piece(sentence, False)
        return
    for step, part in enumerate([sentence] if _CAN_IT.match(sentence) else _THEN.split(sentence)):
        for place, one in enumerate(_joined(part, about)):
            then = (step > 0 and place == 0) or _later(one)
            yield _Piece(_plain(one), then)


def _joined(part: str, about: bool) -> Iterator[str]:
    """Yield requests that are joined by `and`, a comma or a semicolon; `about`: there is a text that a pronoun may stand for."""
    begins = 0
    for found in _AND.finditer(part):
        before, after = part[begins : found.start()].strip(), part[found.end() :]
        own = _OWN.search(after) or (about and _ABOUT.search(after))
        if found["asks"] and not (REQUEST.match(before) and own):
            continue  # several questions about one thing are one
        if not found["asks"] and _CAN_IT.match(before):
            continue
        if (_PRONOUN.search(after) and not (about or _TEXT.search(before))) or _HALF.match(after):
            continue
        yield before
        begins = found.end()
    yield part[begins:]


def _later(text: str) -> bool:
    """Say whether a request says itself that it comes after another."""
    inner = _INNER.match(text.strip())
    return bool(_LATER.match(text.strip()) or (inner and not inner[0].lower().split()[-1].startswith("zu")))


def _plain(text: str) -> str:
    """Return a request without what joined it to others."""
    return _INNER.sub(r"\1", _STRIP.sub("", text.strip())).strip(" ,;") or text


def _related(pieces: Sequence[_Piece], about: str | None) -> Iterator[Clause]:
    """Yield requests with what they need: the result of the one before, or the text that all are about."""
    for place, piece in enumerate(pieces):
        before = (place - 1,) if place else ()
        named = bool(place and RESULT.search(piece.text))
        back = bool(piece.then and place and not about and _BACK.search(piece.text))
        if named or back:
            both = re.search(r"\b(?:both|beide\w*|two|results|answers|ergebnisse|antworten)\b", piece.text, re.IGNORECASE)
            yield Clause(piece.text, None, tuple(range(place)) if both else before)
        else:
            mine = about if about and (_ABOUT.search(piece.text) or _short(piece.text)) else None
            yield Clause(piece.text, mine, (), before if piece.then else ())


def _alone(text: str) -> bool:
    """Say whether a request is not one by itself: one word, or half a sum."""
    return len(text.split()) < 2 or (_HALF.match(text) is not None and not RESULT.search(text))


def _short(text: str) -> bool:
    """Say whether a request hardly names an object of its own."""
    return len(text.split()) <= 3 and not re.search(r"\d", text)
