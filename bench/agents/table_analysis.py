"""Table analysis: questions about real tables, English and German, against SQL written by hand for each.

A question is right if its rows are those of the hand-written SQL, in any order unless the question asks for one.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from agents.table.cabinet import Cabinet, opened
from agents.table.cell import MOST_VALUES
from agents.table.marked import Sheet
from agents.table.question import sql_of
from agents.table.reading import TableRefused
from bench.agents.figure import Figure
from bench.agents.real import SOURCE, folder
from bench.agents.share import share

WORKER = "table"
FILES = {
    "grunfeld": "grunfeld/grunfeld.csv",
    "statecrime": "statecrime/statecrime.csv",
    "macro": "macrodata/macrodata.csv",
}
# Table, question, SQL. Written before any of them was tried.
QUESTIONS: tuple[tuple[str, str, str], ...] = (
    ("grunfeld", "What is the average invest by firm?", "select firm, avg(invest) from grunfeld group by 1"),
    ("grunfeld", "total invest of General Motors", "select sum(invest) from grunfeld where firm = 'General Motors'"),
    (
        "grunfeld",
        "Which firm has the highest total invest?",
        "select firm, sum(invest) from grunfeld group by 1 order by 2 desc limit 1",
    ),
    ("grunfeld", "How many different firms are there?", "select count(distinct firm) from grunfeld"),
    ("grunfeld", "maximum value in 1940", "select max(value) from grunfeld where year = 1940"),
    ("grunfeld", "mean capital after 1950 for IBM", "select avg(capital) from grunfeld where year > 1950 and firm = 'IBM'"),
    ("grunfeld", "top 5 firms by average capital", "select firm, avg(capital) from grunfeld group by 1 order by 2 desc limit 5"),
    ("grunfeld", "How many rows have invest over 500?", "select count(*) from grunfeld where invest > 500"),
    ("grunfeld", "Sum of invest per year", "select year, sum(invest) from grunfeld group by 1"),
    (
        "grunfeld",
        "median invest of Chrysler and IBM by firm",
        "select firm, median(invest) from grunfeld where firm in ('Chrysler', 'IBM') group by 1",
    ),
    ("grunfeld", "Durchschnittlicher invest nach firm", "select firm, avg(invest) from grunfeld group by 1"),
    (
        "grunfeld",
        "Welche firm hat den niedrigsten durchschnittlichen value?",
        "select firm, avg(value) from grunfeld group by 1 order by 2 limit 1",
    ),
    ("grunfeld", "Wie viele Zeilen gibt es seit 1945?", "select count(*) from grunfeld where year >= 1945"),
    ("grunfeld", "Summe invest für US Steel", "select sum(invest) from grunfeld where firm = 'US Steel'"),
    (
        "grunfeld",
        "In which year was total invest the highest?",
        "select year, sum(invest) from grunfeld group by 1 order by 2 desc limit 1",
    ),
    ("grunfeld", "How much did Westinghouse invest in total?", "select sum(invest) from grunfeld where firm = 'Westinghouse'"),
    (
        "grunfeld",
        "What was the capital of Goodyear in 1954?",
        "select capital from grunfeld where firm = 'Goodyear' and year = 1954",
    ),
    ("grunfeld", "average invest excluding General Motors", "select avg(invest) from grunfeld where firm <> 'General Motors'"),
    ("grunfeld", "count the rows per firm", "select firm, count(*) from grunfeld group by 1"),
    ("grunfeld", "firms whose invest is more than 1000", "select firm from grunfeld where invest > 1000"),
    ("statecrime", "What is the average violent?", "select avg(violent) from statecrime"),
    (
        "statecrime",
        "Which state has the highest murder?",
        "select state, max(murder) from statecrime group by 1 order by 2 desc limit 1",
    ),
    (
        "statecrime",
        "Which state has the lowest poverty?",
        "select state, min(poverty) from statecrime group by 1 order by 2 limit 1",
    ),
    ("statecrime", "top 5 states by violent", "select state, max(violent) from statecrime group by 1 order by 2 desc limit 5"),
    ("statecrime", "What is the murder of Texas?", "select murder from statecrime where state = 'Texas'"),
    ("statecrime", "How many states have urban above 90?", "select count(*) from statecrime where urban > 90"),
    ("statecrime", "average hs grad where poverty is at least 15", "select avg(hs_grad) from statecrime where poverty >= 15"),
    (
        "statecrime",
        "show state and murder where single is greater than 35",
        "select state, murder from statecrime where single > 35",
    ),
    (
        "statecrime",
        "Welcher state hat den höchsten violent?",
        "select state, max(violent) from statecrime group by 1 order by 2 desc limit 1",
    ),
    ("statecrime", "Durchschnitt urban", "select avg(urban) from statecrime"),
    ("statecrime", "Wie viele states haben poverty unter 10?", "select count(*) from statecrime where poverty < 10"),
    (
        "statecrime",
        "the 3 states with the lowest hs_grad",
        "select state, min(hs_grad) from statecrime group by 1 order by 2 limit 3",
    ),
    ("statecrime", "Is violent correlated with poverty?", "select corr(violent, poverty) from statecrime"),
    ("statecrime", "murder in California and Nevada", "select murder from statecrime where state in ('California', 'Nevada')"),
    ("statecrime", "minimum white", "select min(white) from statecrime"),
    ("macro", "average unemp by year", "select year, avg(unemp) from macro group by 1"),
    ("macro", "What is the highest infl?", "select max(infl) from macro"),
    (
        "macro",
        "Which year has the highest average unemp?",
        "select year, avg(unemp) from macro group by 1 order by 2 desc limit 1",
    ),
    ("macro", "maximum realgdp before 1970", "select max(realgdp) from macro where year < 1970"),
    ("macro", "How many quarters had unemp above 9?", "select count(*) from macro where unemp > 9"),
    (
        "macro",
        "average tbilrate per quarter since 1990",
        "select quarter, avg(tbilrate) from macro where year >= 1990 group by 1",
    ),
    ("macro", "total realinv in 2000", "select sum(realinv) from macro where year = 2000"),
    ("macro", "median infl where tbilrate is below 2", "select median(infl) from macro where tbilrate < 2"),
    ("macro", "mean unemp from 1980 to 1989", "select avg(unemp) from macro where year between 1980 and 1989"),
    ("macro", "Durchschnitt infl nach Jahr", "select year, avg(infl) from macro group by 1"),
    ("macro", "Wie hoch war der maximale unemp in 1982?", "select max(unemp) from macro where year = 1982"),
    ("macro", "difference between the highest and the lowest cpi", "select max(cpi) - min(cpi) from macro"),
    ("macro", "what was the cpi in the first quarter of 1975", "select cpi from macro where year = 1975 and quarter = 1"),
    ("macro", "top 3 years by average infl", "select year, avg(infl) from macro group by 1 order by 2 desc limit 3"),
    ("macro", "number of rows", "select count(*) from macro"),
)
_WORDS = (
    ("average", "avg"),
    ("mean", "avg"),
    ("durchschnitt", "avg"),
    ("total", "sum"),
    ("sum", "sum"),
    ("highest", "max"),
    ("maximum", "max"),
)


def baseline(question: str, sheet: Sheet) -> str | None:
    """Return what a look-up of words makes: one aggregate of the first column that is named as it is written."""
    words = question.lower().replace("?", "").split()
    column = next((one.name for word in words for one in sheet.columns if one.name.lower() == word), None)
    if "how" in words and "many" in words:
        return f'select count(*) from "{sheet.name}"'
    aggregate = next((function for word, function in _WORDS if word in words), None)
    return f'select {aggregate}("{column}") from "{sheet.name}"' if aggregate and column else None


def sheet_of(cabinet: Cabinet, name: str) -> Sheet:
    """Return a table as a question may name it."""
    columns = cabinet.tables[name]
    return Sheet(
        name, columns, {c.name: tuple(cabinet.values(name, c.name, MOST_VALUES)) for c in columns if c.type == "VARCHAR"}
    )


def rows_of(cabinet: Cabinet, sql: str | None) -> list[Any] | None:
    """Return the rows of SQL, sorted; None if there is none or it is refused."""
    try:
        return None if sql is None else sorted((tuple(map(_rounded, row)) for row in cabinet.ask(sql).rows), key=str)
    except TableRefused:
        return None


def _rounded(cell: Any) -> Any:
    """Return a number to nine digits, whatever its type."""
    return float(f"{cell:.9g}") if isinstance(cell, int | float) and not isinstance(cell, bool) else cell


def answered(question: str, sheet: Sheet) -> str | None:
    """Return the SQL of the worker's rules; None if it refuses."""
    try:
        return sql_of(question, [sheet])
    except TableRefused:
        return None


def judged() -> list[tuple[str, bool, bool, bool]]:
    """Return for each question whether the worker was right, whether it refused, and whether the baseline was right."""
    found = []
    for name, file in FILES.items():
        with opened({name: (folder() / file).read_bytes()}) as cabinet:
            sheet = sheet_of(cabinet, name)
            for _, question, sql in (one for one in QUESTIONS if one[0] == name):
                true, made = rows_of(cabinet, sql), answered(question, sheet)
                right = made is not None and rows_of(cabinet, made) == true
                found.append((question, right, made is None, rows_of(cabinet, baseline(question, sheet)) == true))
    return found


def rewritten(content: bytes) -> dict[str, bytes]:
    """Return the same table as other programs write it."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))

    def joined(separator: str, comma: bool, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
        sink = io.StringIO()
        cells = [[cell.replace(".", ",") if comma and row else cell for cell in line] for row, line in enumerate(rows)]
        csv.writer(sink, delimiter=separator, quoting=quoting, lineterminator=end).writerows(cells)  # type: ignore[arg-type]
        return sink.getvalue()

    return {
        "semicolons, decimal commas": joined(";", True).encode(),
        "tabs": joined("\t", False).encode(),
        "bars": joined("|", False).encode(),
        "all quoted": joined(",", False, csv.QUOTE_ALL).encode(),
        "byte order mark": b"\xef\xbb\xbf" + joined(",", False).encode(),
        "UTF-16": joined(",", False).encode("utf-16"),
        "Windows-1252": joined(";", True).encode("cp1252"),
        "carriage returns": joined(",", False, end="\r\n").encode(),
        "no end of the last line": joined(",", False).rstrip("\n").encode(),
    }


def traps() -> list[bool]:
    """Return for each way of writing each table whether it is read as the same rows."""
    same = []
    for name, file in FILES.items():
        content = (folder() / file).read_bytes()
        with opened({name: content}) as cabinet:
            true = rows_of(cabinet, f'select * from "{name}"')
        for other in rewritten(content).values():
            with opened({name: other}) as cabinet:
                same.append(rows_of(cabinet, f'select * from "{name}"') == true)
    return same


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    found = judged()
    right: Sequence[bool] = [one[1] for one in found]
    wrong = [not one[1] and not one[2] for one in found]
    data = f"questions over {len(FILES)} tables of {SOURCE}, labelled with SQL by hand"
    same = traps()
    return [
        Figure(
            WORKER,
            "right",
            "share",
            "higher",
            share(right, seed),
            data,
            len(found),
            "one aggregate by key word",
            share([one[3] for one in found], seed),
        ),
        Figure(WORKER, "refused", "share", "lower", share([one[2] for one in found], seed), data, len(found)),
        Figure(WORKER, "wrong", "share", "lower", share(wrong, seed), data, len(found), asked="0"),
        Figure(
            WORKER,
            "read_alike",
            "share",
            "higher",
            share(same, seed),
            "the same tables in nine ways of writing",
            len(same),
            asked="1",
        ),
    ]
