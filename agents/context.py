"""What a language model is given: parts chosen by use until a budget of tokens is spent, and a report of what went in.

Tokens are those of the sentence encoder's tokenizer (WordPiece, 30,522 pieces), whatever model reads them: for English text it
counts within some ten per cent of what SmolLM2's does, so a budget is kept below a model's window by a margin.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from msgspec import Struct

Count = Callable[[str], int]


class Part(Struct, frozen=True):
    """One thing that may be told: what sort it is, its text, and its use (higher first; None: it must be there)."""

    sort: str
    text: str
    use: float | None = None
    id: str | None = None


class Report(Struct, frozen=True):
    """What went in: tokens by sort, and how many parts had no room."""

    budget: int
    used: int
    by_sort: dict[str, int]
    left_out: int


class Chosen(Struct, frozen=True):
    """The parts that were chosen, in the order in which they were offered, and the report."""

    parts: tuple[Part, ...]
    report: Report

    def of(self, sort: str) -> list[Part]:
        """Return the chosen parts of one sort."""
        return [part for part in self.parts if part.sort == sort]


def choose(parts: Sequence[Part], budget: int, count: Count) -> Chosen:
    """Choose what must be there, then the most useful of the rest that has room; what must be there is cut to the budget.

    Of parts of equal use the later one is more useful: it was said last.
    """
    kept: dict[int, Part] = {}
    left = budget
    order = sorted(range(len(parts)), key=lambda place: (parts[place].use is not None, -(parts[place].use or 0.0), -place))
    for place in order:
        part = parts[place]
        if part.use is None and count(part.text) > left:
            part = Part(part.sort, cut(part.text, left, count), part.use, part.id)
        size = count(part.text)
        if part.text and size <= left:
            kept[place] = part
            left -= size
    sizes: Counter[str] = Counter()
    for part in kept.values():
        sizes[part.sort] += count(part.text)
    report = Report(budget, budget - left, dict(sorted(sizes.items())), len(parts) - len(kept))
    return Chosen(tuple(kept[place] for place in sorted(kept)), report)


def cut(text: str, most: int, count: Count) -> str:
    """Return as many of the last words as have room: what was asked stands at the end."""
    words = text.split()
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(" ".join(words[middle:])) <= most else (middle + 1, high)
    return " ".join(words[low:])


@cache
def counter() -> Count:
    """Return what counts tokens; the tokenizer is opened once."""
    from tokenizers import Tokenizer

    from learning.static import ARTEFACTS, TOKENIZER_FILE

    tokenizer = Tokenizer.from_file(str(ARTEFACTS / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
