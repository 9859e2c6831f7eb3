"""A question in which marks stand for columns and values of a table: what a file says can only ever be a name or a value."""

import re
from collections.abc import Mapping

from msgspec import Struct

from agents.table.column import Column
from agents.table.phrase import COLUMN, FILLER
from agents.table.reading import TableRefused


class Sheet(Struct, frozen=True):
    """One table as a question may name it: its columns, and for columns of text the values in them (none: too many)."""

    name: str
    columns: tuple[Column, ...]
    texts: Mapping[str, tuple[str, ...]]


class Marked(Struct):
    """A question in which columns and values are marks; what is understood is taken out of `left`."""

    left: str
    columns: list[str]
    values: list[tuple[str, str]]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take out the first place where a pattern is found."""
        found = pattern.search(self.left)
        if found:
            self.left = f"{self.left[: found.start()]} {self.left[found.end() :]}"
        return found

    def open_columns(self) -> list[str]:
        """Return the columns that are still named, in order."""
        return list(dict.fromkeys(self.columns[int(number)] for number in re.findall(COLUMN, self.left)))


def not_understood(why: str) -> TableRefused:
    """Return the refusal, with what would help."""
    return TableRefused("not_understood", f"{why}; input.sql says it without words")


def mark(question: str, sheet: Sheet) -> Marked:
    """Return the question with marks for the columns and values that it names; longer names go first."""
    left = f" {' '.join(question.lower().replace('⟨', ' ').replace('⟩', ' ').split())} "
    columns, values = [column.name for column in sheet.columns], [(c, v) for c, all_of in sheet.texts.items() for v in all_of]
    names = [(spoken(name), f"⟨c{place}⟩") for place, name in enumerate(columns)]
    names += [
        (re.escape(value.lower().strip()), f"⟨v{place}⟩") for place, (_, value) in enumerate(values) if len(value.strip()) > 1
    ]
    twice = {value.lower() for place, (_, value) in enumerate(values) if value.lower() in {v.lower() for _, v in values[:place]}}
    for pattern, sign in sorted(names, key=lambda pair: (-len(pair[0]), pair[1])):
        left, hits = re.subn(rf"(?<![\w⟨])[\"']?{pattern}[\"']?(?![\w⟩])", f" {sign} ", left)
        if hits and sign[1] == "v" and values[int(sign[2:-1])][1].lower() in twice:
            raise not_understood(f"{values[int(sign[2:-1])][1]!r} is in more than one column")
    return Marked(" ".join(left.split()), columns, values)


def spoken(name: str) -> str:
    """Return the pattern for a column's name as people say it: its words, one or many of them."""
    parts = [part for part in re.split(r"[\s_\-.]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()) if part]
    stem = [re.sub(r"(?<=...)s$", "", part) if place == len(parts) - 1 else part for place, part in enumerate(parts)]
    joined = r"[\s_\-.]*".join(map(re.escape, stem))
    return (joined[:-1] + "(?:y|ies)" if joined.endswith("y") else joined) + "(?:s|es|e|n|en)?"


def require_understood(marked: Marked, sheet: Sheet) -> None:
    """Refuse a question that says more than was taken out of it."""
    rest = re.sub(COLUMN, " ", marked.left)
    table = set(re.findall(r"[^\W\d_]+", sheet.name.lower()))
    table |= {f"{word}s" for word in table} | {word.removesuffix("s") for word in table}
    strange = sorted(set(re.findall(r"[^\W_]+", rest)) - FILLER - table)
    if strange:
        raise not_understood(f"{strange[0][:40]!r} is neither a column, nor a value, nor a word that is understood")
    signs = re.sub(r"[\w\s?.!,:;'\"]", "", rest)
    if signs:
        raise not_understood(f"{signs[0]!r} is not part of a question that is understood")
