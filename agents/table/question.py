"""Make SQL out of a plain question about one table, English or German, by rules; what is not understood is refused, not guessed.

Columns and values that the question names are replaced by marks first (`agents.table.marked`); then each part is taken out of it,
and what is left must say nothing more.
"""

import re
from collections.abc import Iterator, Sequence

from agents.table import phrase
from agents.table.column import quoted, text
from agents.table.marked import Marked, Sheet, mark, not_understood, require_understood
from agents.table.phrase import COLUMN, NUMBER, VALUE
from agents.table.query import Parts, query_of
from agents.table.reading import TableRefused

MOST_CHARS = 1_000


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


def _select(question: str, sheet: Sheet) -> str:
    """Return the SELECT over one table."""
    marked = mark(question, sheet)
    ranked = marked.take(phrase.TOP_OF)
    if ranked and re.search(r"lowest|smallest|kleinsten", ranked[0]):
        marked.left += " lowest"
    top = ranked or marked.take(phrase.TOP)
    where = list(_filters(marked, sheet))
    which = marked.take(phrase.WHICH) if ranked is None else None
    group = marked.take(phrase.GROUP) if ranked is None else None
    aggregates = _aggregates(marked)
    source = group or which
    named = (ranked[2],) if ranked else source.groups() if source else ()
    groups = tuple(marked.columns[int(number)] for number in named if number)
    measured = tuple(column for column in marked.open_columns() if column not in groups)
    require_understood(marked, sheet)
    limit = int(top[1] or top[2]) if top else None
    if ranked and not {"max", "min"} & set(aggregates):
        aggregates.append("max")
    return query_of(Parts(tuple(aggregates), groups, measured, tuple(where), limit, which is not None), sheet)


def _aggregates(marked: Marked) -> list[str]:
    """Take out what is to be computed, in the order in which it is looked for."""
    found = []
    for name, words in phrase.AGGREGATES:
        marked.left, hits = re.subn(rf"\b(?:{words})\b", " ", marked.left)
        found += [name] * bool(hits)
    return found


def _filters(marked: Marked, sheet: Sheet) -> Iterator[str]:
    """Take out conditions: values of columns, and comparisons with numbers."""
    while found := marked.take(phrase.NOT):
        column, value = marked.values[int(found[1])]
        yield f"{quoted(column)} <> {text(value)}"
    for sign, words in phrase.COMPARISONS:
        while found := marked.take(re.compile(rf"{COLUMN}\s+(?:is |are |was |ist |sind )?(?:{words})\s*{NUMBER}(?![\w])")):
            yield f"{quoted(marked.columns[int(found[1])])} {sign} {found[2].replace(',', '.')}"
    yield from _years(marked, sheet)
    named: dict[str, list[str]] = {}
    while found := marked.take(re.compile(rf"(?:{COLUMN}\s+(?:is |are |was |ist |war |equals |gleich |= ?)?)?{VALUE}")):
        column, value = marked.values[int(found[2])]
        if found[1] and marked.columns[int(found[1])] != column:
            raise not_understood(f"{value!r} is no value of {marked.columns[int(found[1])]}")
        named.setdefault(column, []).append(value)
    for column, values in named.items():
        yield f"{quoted(column)} in ({', '.join(map(text, dict.fromkeys(values)))})"


def _years(marked: Marked, sheet: Sheet) -> Iterator[str]:
    """Take out years, where a column holds them: a range, or one year with or without a side.

    Raises:
        TableRefused: two years that are no range.
    """
    year = next((quoted(column.name) for column in sheet.columns if column.name.lower() in ("year", "jahr")), None)
    if year is None:
        return
    if found := marked.take(phrase.RANGE):
        yield f"{year} between {found[1]} and {found[2]}"
    taken = 0
    while found := marked.take(phrase.YEAR):
        taken += 1
        yield f"{year} {phrase.SIDES.get(found[1] or '', '=')} {found[2]}"
    if taken > 1:
        raise not_understood("it names several years; say from when to when")
