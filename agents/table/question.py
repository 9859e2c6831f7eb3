"""Make SQL out of a plain question about one table, English or German, by rules; what is not understood is refused, not guessed.

Columns and values that the question names are replaced by marks first, so what a file says can only ever be a name or a value.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from agents.table.column import Column, quoted, text
from agents.table.reading import TableRefused

MOST_CHARS = 1_000
_NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL", "INTEGER", "HUGEINT", "FLOAT")
_ENGLISH = (
    "what whats which is are was were the a an of in on for from all our my their there do does did have has had we i me "
    "show give tell list please with where whose that and by per each value values column rows row table file entries entry "
    "records record data result find calculate compute many much how it to at within over across"
)
_GERMAN = (
    "was wie hoch welche welcher welches welchen ist sind war waren der die das den dem des ein eine einer eines von im in für "
    "aus alle aller allen unser unsere es gibt hat haben hatte hatten zeige zeig gib mir nenne bitte mit wo deren und nach "
    "pro je wert werte werten spalte zeilen zeile tabelle datei einträge eintrag datensätze berechne ermittle viele viel "
    "wieviel wieviele zu bei über wird werden insgesamt beträgt"
)
_FILLER = frozenset(f"{_ENGLISH} {_GERMAN}".split())
_AGGREGATES: tuple[tuple[str, str], ...] = (
    (
        "count_distinct",
        r"(?:how many|number of|count(?: of)?|wie ?viele|anzahl(?: der)?)\s+(?:different|distinct|unique|verschiedenen?)",
    ),
    ("median", r"median(?:wert)?"),
    ("avg", r"averages?|mean|avg|durchschnitt(?:lich)?(?:e[rnms]?)?|mittelwert|im schnitt|im mittel"),
    ("sum", r"sum(?: of)?|totals?|overall|summe|gesamt(?:e[rnms]?)?|summiert"),
    (
        "max",
        r"max(?:imum|imal(?:e[rnms]?)?)?|highest|largest|biggest|greatest|most|top|höchste[rnms]?|größte[rnms]?|meisten?",
    ),
    (
        "min",
        r"min(?:imum|imal(?:e[rnms]?)?)?|lowest|smallest|least|fewest|niedrigste[rnms]?|kleinste[rnms]?|geringste[rnms]?|wenigsten?",
    ),
    ("count", r"how many|count|number of|wie ?viele?|anzahl"),
)
_COMPARISONS: tuple[tuple[str, str], ...] = (
    (">=", r">=|at least|no less than|mindestens|wenigstens"),
    ("<=", r"<=|at most|no more than|up to|höchstens|maximal"),
    (">", r">|more than|greater than|larger than|higher than|above|over|exceeds?|größer als|mehr als|höher als|über"),
    ("<", r"<|less than|smaller than|lower than|below|under|fewer than|kleiner als|weniger als|niedriger als|unter"),
    ("=", r"==?|equals?|equal to|exactly|gleich|is|ist|was|war"),
)
_C, _V, _N = r"⟨c(\d+)⟩", r"⟨v(\d+)⟩", r"(-?\d+(?:[.,]\d+)?)"
_GROUP = re.compile(
    r"(?:(?:grouped )?by|per|(?:for|in|of) (?:each|every)|nach|pro|je|für jede[nrs]?)\s+(?:the |der |dem )?"
    rf"{_C}(?:\s+(?:and|und)\s+{_C})?"
)
_TOP = re.compile(
    r"\btop\s+(\d+)\b|\b(\d+)\s+(?=(?:highest|largest|biggest|lowest|smallest|höchsten|größten|kleinsten|niedrigsten)\b)"
)
_TOP_OF = re.compile(
    rf"\b(?:top\s+)?(\d+)\s+(?:highest |largest |biggest |lowest |smallest |höchsten |größten |kleinsten )?{_C}\s+"
    r"(?:by|nach|with|mit|in terms of)\b(?:\s+(?:the|der|dem|den))?"
)
_WHICH = re.compile(rf"(?:which|what|who|welche[rsnm]?)\s+{_C}\s+(?:has|have|had|hat|hatte|haben|is|ist|with|mit)\b")
_RANGE = re.compile(r"\b(?:from|between|von|zwischen)\s+([12]\d{3})\s+(?:to|and|until|bis|und)\s+([12]\d{3})\b")
_YEAR = re.compile(r"\b(since|after|before|until|seit|nach|vor|bis|in|im jahr|for|für)?\s*\b([12]\d{3})\b")
_SIDES = {"since": ">=", "seit": ">=", "after": ">", "nach": ">", "before": "<", "vor": "<", "until": "<=", "bis": "<="}
_NOT = re.compile(rf"(?:not|except|without|excluding|ohne|außer|nicht)\s+(?:in |from |aus )?{_V}")


class Sheet(Struct, frozen=True):
    """One table as a question may name it: its columns, and for columns of text the values in them (none: too many)."""

    name: str
    columns: tuple[Column, ...]
    texts: Mapping[str, tuple[str, ...]]


class _Marked(Struct):
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
        return list(dict.fromkeys(self.columns[int(number)] for number in re.findall(_C, self.left)))


def sql_of(question: str, sheets: Sequence[Sheet]) -> str:
    """Return one SELECT that a question such as "average price by region where year is 2020" means.

    Raises:
        TableRefused: `not_understood`, with the word that is not.
    """
    if len(question) > MOST_CHARS:
        raise not_understood(f"the question has more than {MOST_CHARS} characters")
    if not sheets:
        raise not_understood("there is no table")
    made, reasons = [], []
    for sheet in sheets:
        try:
            made.append(_select(question, sheet))
        except TableRefused as refusal:
            reasons.append(refusal)
    if len(made) > 1:
        raise not_understood("more than one table fits; name columns that only one of them has")
    if not made:
        raise reasons[0]
    return made[0]


def not_understood(why: str) -> TableRefused:
    """Return the refusal, with what would help."""
    return TableRefused("not_understood", f"{why}; input.sql says it without words")


def _select(question: str, sheet: Sheet) -> str:
    """Return the SELECT over one table."""
    marked = _mark(question, sheet)
    ranked = marked.take(_TOP_OF)
    if ranked and re.search(r"lowest|smallest|kleinsten", ranked[0]):
        marked.left += " lowest"
    top = ranked or marked.take(_TOP)
    where = list(_filters(marked, sheet))
    which = marked.take(_WHICH) if ranked is None else None
    group = marked.take(_GROUP) if ranked is None else None
    aggregates = _aggregates(marked)
    source = group or which
    named = (ranked[2],) if ranked else source.groups() if source else ()
    groups = [marked.columns[int(number)] for number in named if number]
    measured = [column for column in marked.open_columns() if column not in groups]
    _understood(marked, sheet)
    limit = int(top[1] or top[2]) if top else None
    if ranked and not {"max", "min"} & set(aggregates):
        aggregates.append("max")
    return _assembled(sheet, aggregates, groups, measured, where, limit, which is not None)


def _assembled(
    sheet: Sheet, aggregates: list[str], groups: list[str], measured: list[str], where: list[str], limit: int | None, which: bool
) -> str:
    """Return the SELECT that the parts make."""
    source = quoted(sheet.name) + (f" where {' and '.join(where)}" if where else "")
    if which or limit is not None:
        return _ranked(source, aggregates, groups, measured, limit, sheet)
    if not aggregates:
        if groups or not (measured or where):
            raise not_understood("it does not say what to compute")
        listed = ", ".join(map(quoted, measured)) or "*"
        return f"select {listed} from {source}"  # noqa: S608  # names are quoted, values too
    if len(aggregates) > 1:
        raise not_understood(f"it asks for {' and '.join(aggregates)} at once")
    value = _value(aggregates[0], measured, sheet)
    if not groups:
        return f"select {value} as value from {source}"  # noqa: S608
    named = ", ".join(map(quoted, groups))
    return f"select {named}, {value} as value from {source} group by {named} order by {named}"  # noqa: S608


def _ranked(source: str, aggregates: list[str], groups: list[str], measured: list[str], limit: int | None, sheet: Sheet) -> str:
    """Return the SELECT of a "top N" or a "which has the most"."""
    order = "asc" if "min" in aggregates else "desc"
    inner = [one for one in aggregates if one not in ("max", "min")]
    if len(inner) > 1 or len(groups) != 1:
        raise not_understood("it does not say what to rank by what")
    if not inner and not measured and "max" in aggregates and limit is None:
        inner = ["count"]  # "which region has the most rows"
    if not inner and len(measured) != 1:
        raise not_understood("it does not say what to rank by")
    value = _value(inner[0] if inner else ("min" if order == "asc" else "max"), measured, sheet)
    name = quoted(groups[0])
    return f"select {name}, {value} as value from {source} group by {name} order by value {order}, {name} limit {limit or 1}"  # noqa: S608


def _value(aggregate: str, measured: list[str], sheet: Sheet) -> str:
    """Return the aggregate of the one column that is measured."""
    if aggregate == "count":
        if measured:
            raise not_understood(f"how many rows have a {measured[0]}, or how many different ones there are, is not said")
        return "count(*)"
    if len(measured) != 1:
        raise not_understood("it names no column to compute with" if not measured else "it names several columns to compute with")
    kind = next(column.type for column in sheet.columns if column.name == measured[0])
    if aggregate == "count_distinct":
        return f"count(distinct {quoted(measured[0])})"
    if aggregate in ("avg", "sum", "median") and not kind.startswith(_NUMBERS):
        raise not_understood(f"{measured[0]} holds no numbers")
    return f"{aggregate}({quoted(measured[0])})"


def _aggregates(marked: _Marked) -> list[str]:
    """Take out what is to be computed, in the order of the list above."""
    found = []
    for name, words in _AGGREGATES:
        marked.left, hits = re.subn(rf"\b(?:{words})\b", " ", marked.left)
        found += [name] * bool(hits)
    return found


def _filters(marked: _Marked, sheet: Sheet) -> Iterator[str]:
    """Take out conditions: values of columns, and comparisons with numbers."""
    while found := marked.take(_NOT):
        column, value = marked.values[int(found[1])]
        yield f"{quoted(column)} <> {text(value)}"
    for sign, words in _COMPARISONS:
        while found := marked.take(re.compile(rf"{_C}\s+(?:is |are |was |ist |sind )?(?:{words})\s*{_N}(?![\w])")):
            yield f"{quoted(marked.columns[int(found[1])])} {sign} {found[2].replace(',', '.')}"
    yield from _years(marked, sheet)
    named: dict[str, list[str]] = {}
    while found := marked.take(re.compile(rf"(?:{_C}\s+(?:is |are |was |ist |war |equals |gleich |= ?)?)?{_V}")):
        column, value = marked.values[int(found[2])]
        if found[1] and marked.columns[int(found[1])] != column:
            raise not_understood(f"{value!r} is no value of {marked.columns[int(found[1])]}")
        named.setdefault(column, []).append(value)
    for column, values in named.items():
        yield f"{quoted(column)} in ({', '.join(map(text, dict.fromkeys(values)))})"


def _years(marked: _Marked, sheet: Sheet) -> Iterator[str]:
    """Take out years, where a column holds them: a range, or one year with or without a side.

    Raises:
        TableRefused: two years that are no range.
    """
    year = next((quoted(column.name) for column in sheet.columns if column.name.lower() in ("year", "jahr")), None)
    if year is None:
        return
    if found := marked.take(_RANGE):
        yield f"{year} between {found[1]} and {found[2]}"
    taken = 0
    while found := marked.take(_YEAR):
        taken += 1
        yield f"{year} {_SIDES.get(found[1] or '', '=')} {found[2]}"
    if taken > 1:
        raise not_understood("it names several years; say from when to when")


def _mark(question: str, sheet: Sheet) -> _Marked:
    """Return the question with marks for the columns and values that it names; longer names go first."""
    left = f" {' '.join(question.lower().replace('⟨', ' ').replace('⟩', ' ').split())} "
    columns, values = [column.name for column in sheet.columns], [(c, v) for c, all_of in sheet.texts.items() for v in all_of]
    names = [(spoken(name), f"⟨c{place}⟩") for place, name in enumerate(columns)]
    names += [
        (re.escape(value.lower().strip()), f"⟨v{place}⟩") for place, (_, value) in enumerate(values) if len(value.strip()) > 1
    ]
    twice = {value.lower() for place, (_, value) in enumerate(values) if value.lower() in {v.lower() for _, v in values[:place]}}
    for pattern, mark in sorted(names, key=lambda pair: (-len(pair[0]), pair[1])):
        left, hits = re.subn(rf"(?<![\w⟨])[\"']?{pattern}[\"']?(?![\w⟩])", f" {mark} ", left)
        if hits and mark[1] == "v" and values[int(mark[2:-1])][1].lower() in twice:
            raise not_understood(f"{values[int(mark[2:-1])][1]!r} is in more than one column")
    return _Marked(" ".join(left.split()), columns, values)


def spoken(name: str) -> str:
    """Return the pattern for a column's name as people say it: its words, one or many of them."""
    parts = [part for part in re.split(r"[\s_\-.]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()) if part]
    stem = [re.sub(r"(?<=...)s$", "", part) if place == len(parts) - 1 else part for place, part in enumerate(parts)]
    joined = r"[\s_\-.]*".join(map(re.escape, stem))
    return (joined[:-1] + "(?:y|ies)" if joined.endswith("y") else joined) + "(?:s|es|e|n|en)?"


def _understood(marked: _Marked, sheet: Sheet) -> None:
    """Refuse a question that says more than was taken out of it."""
    rest = re.sub(_C, " ", marked.left)
    table = set(re.findall(r"[^\W\d_]+", sheet.name.lower()))
    table |= {f"{word}s" for word in table} | {word.removesuffix("s") for word in table}
    strange = sorted(set(re.findall(r"[^\W_]+", rest)) - _FILLER - table)
    if strange:
        raise not_understood(f"{strange[0][:40]!r} is neither a column, nor a value, nor a word that is understood")
    signs = re.sub(r"[\w\s?.!,:;'\"]", "", rest)
    if signs:
        raise not_understood(f"{signs[0]!r} is not part of a question that is understood")
