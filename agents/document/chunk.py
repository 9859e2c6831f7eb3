"""Cuts a text into pieces that fit an encoder: along paragraphs and sentences, with a little of the piece before. Pure.

No character of the text is lost: every one that is not blank lies in a piece. A piece never holds more tokens than the budget,
unless a single character does.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

CountTokens = Callable[[str], int]
# A sentence ends with its sign before a blank and what may begin one, or with a line that ends for a reason.
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[\w#*`|-])|\n\s*")
_OWN_LINE = re.compile(r"[-*#|>•`]|\d{1,3}[.)] ")  # of a list, a table, a heading
_WRAPPED = 60  # shorter lines were ended by whoever wrote them, longer ones by an editor
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|e\.g|i\.e|etc|vs|No|Nr|Mr|Mrs|Ms|Dr|Prof|St|Fig|approx|bzw|ca|z\.B|d\.h|Abs|Art)\.)$"
)
_HEADING = re.compile(r"^#{1,6} +(.*?)\s*#*$", re.MULTILINE)


class Cut(Struct, frozen=True):
    """How a text is cut: tokens of a piece at most, and of what two neighbours have in common."""

    tokens: int = 110
    overlap: int = 20


class Piece(Struct, frozen=True):
    """One piece of a text, from `start` to `end` in characters, and the heading that it stands under."""

    start: int
    end: int
    heading: str


Span = tuple[int, int]


def cut(text: str, count: CountTokens, how: Cut = Cut()) -> list[Piece]:  # noqa: B008 frozen
    """Return the pieces of a text, in order.

    Raises:
        ValueError: the overlap leaves no room.
    """
    if not 0 <= how.overlap < how.tokens:
        raise ValueError(f"an overlap of {how.overlap} tokens does not fit into pieces of {how.tokens}")
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(text)]
    pieces: list[Piece] = []
    for start, end in _sections(text, [place for place, _ in headings]):
        heading = next((title for place, title in reversed(headings) if place <= start), "")
        spans = [span for one in sentences(text, start, end) for span in _fitting(text, one, count, how.tokens)]
        pieces += [Piece(first, last, heading) for first, last in _packed(text, spans, count, how)]
    return pieces


def _sections(text: str, headings: Sequence[int]) -> Iterator[Span]:
    """Yield what lies between headings, each with its own."""
    for start, end in pairwise([0, *(place for place in headings if place), len(text)]):
        if text[start:end].strip():
            yield start, end


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Return the sentences of a text, without the blanks around them; lines of lists and tables are sentences of their own."""
    last = len(text) if end is None else end
    marks = [start, *(match.end() for match in _SENTENCE.finditer(text, start, last) if not _goes_on(text, match)), last]
    return [span for one in pairwise(marks) if (span := _stripped(text, *one))]


def _goes_on(text: str, match: "re.Match[str]") -> bool:
    """Say whether what looks like the end of a sentence is that of an abbreviation, or of a wrapped line."""
    if "\n" not in match[0]:
        return bool(_ABBREVIATION.search(text, max(0, match.start() - 8), match.start()))
    if match[0].count("\n") > 1 or text[match.start() - 1 : match.start()] in (".", "!", "?", ":", "|"):
        return False
    line = match.start() - (text.rfind("\n", 0, match.start()) + 1)
    return line >= _WRAPPED and not _OWN_LINE.match(text, match.end())


def _stripped(text: str, start: int, end: int) -> Span | None:
    """Return a span without the blanks at its ends; None if it is nothing else."""
    inner = text[start:end]
    lead = len(inner) - len(inner.lstrip())
    return (start + lead, start + len(inner.rstrip())) if inner.strip() else None


def _fitting(text: str, span: Span, count: CountTokens, most: int) -> Iterator[Span]:
    """Yield a sentence, or halves of it, at a blank near their middle, until each fits."""
    start, end = span
    if count(text[start:end]) <= most or end - start == 1:
        yield span
        return
    middle = (start + end) // 2
    blank = max(text.rfind(" ", start + 1, middle), text.rfind("\n", start + 1, middle))
    place = blank if blank > start else middle
    for part in ((start, place), (place, end)):
        if found := _stripped(text, *part):
            yield from _fitting(text, found, count, most)


def _packed(text: str, spans: Sequence[Span], count: CountTokens, how: Cut) -> Iterator[Span]:
    """Yield runs of neighbouring sentences that fit together, each beginning with the last of the run before where that fits."""
    first = 0
    while first < len(spans):
        last = first
        while last + 1 < len(spans) and count(text[spans[first][0] : spans[last + 1][1]]) <= how.tokens:
            last += 1
        yield spans[first][0], spans[last][1]
        if last + 1 == len(spans):
            return
        first = _overlapping(text, spans, (first, last), count, how)


def _overlapping(text: str, spans: Sequence[Span], run: tuple[int, int], count: CountTokens, how: Cut) -> int:
    """Return where the next run begins: as far back as the overlap allows, and never so far that it brings nothing new."""
    first, last = run
    begin = last + 1
    while begin - 1 > first and count(text[spans[begin - 1][0] : spans[last][1]]) <= how.overlap:
        begin -= 1
    while begin <= last and count(text[spans[begin][0] : spans[last + 1][1]]) > how.tokens:
        begin += 1
    return begin
