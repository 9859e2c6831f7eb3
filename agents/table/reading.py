"""Find out how a CSV file is written: encoding, separator, decimal sign. What cannot be read is refused, with the reason.

Only the first part of a file is looked at; the rest is read by DuckDB in the same way, strictly.
"""

import csv
import io
import re
from collections.abc import Sequence

from msgspec import Struct

MOST_BYTES = 200_000_000
MOST_COLUMNS = 1_000
_LOOK = 65_536  # bytes of the head
_SEPARATORS = ",;\t|"
_LINES = 200
_DECIMAL_COMMA = re.compile(r"-?\d{1,3}(?:\.\d{3})+(?:,\d+)?|-?\d+,\d+")
_DECIMAL_POINT = re.compile(r"-?\d+\.\d+")
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
# Thousands set apart, by the sign that does it: what shows it, and what would be read as another number if it were so.
_GROUPS = {
    ".": (re.compile(r"-?\d{1,3}(?:\.\d{3})+,\d+"), re.compile(rb"(?:^|[;\t|\"\n]) *-?\d+\.(?:\d{1,2}|\d{4,})(?![\d.])")),
    ",": (re.compile(r"-?\d{1,3}(?:,\d{3})+\.\d+"), re.compile(rb"(?:^|[;\t|\"\n]) *-?\d+,(?:\d{1,2}|\d{4,})(?![\d,])")),
}


class TableRefused(Exception):
    """There is no answer: `code` names why, the message says it in a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Written(Struct, frozen=True):
    """How a file is written. `columns` are unique names, in order; `comma`: decimals have commas; `thousands`: their sign."""

    encoding: str
    separator: str
    columns: tuple[str, ...]
    comma: bool
    thousands: str = ""


def written(content: bytes) -> Written:
    """Return how a CSV file is written.

    Raises:
        TableRefused: it is empty, too big, binary, or no table.
    """
    if len(content) > MOST_BYTES:
        raise TableRefused("too_big", f"the file has {len(content)} bytes; at most {MOST_BYTES} are read")
    encoding = encoding_of(content)
    lines = _head(content, encoding)
    separator = separator_of(lines)
    rows = list(csv.reader(io.StringIO("".join(lines)), delimiter=separator))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise TableRefused("empty", "the file holds no table")
    if len(rows[0]) > MOST_COLUMNS:
        raise TableRefused("too_wide", f"the table has more than {MOST_COLUMNS} columns")
    comma = separator != "," and _has_commas(rows[1:])
    return Written(
        encoding, separator, names(rows[0]), comma, _thousands("." if comma else ",", rows[1:], plain(content, encoding))
    )


def pointed(cell: str, how: Written) -> str:
    """Return a number as one with a decimal point and without thousands' signs; any other text, a date say, as it is."""
    if how.comma:
        return cell.replace(".", "").replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
    return cell.replace(",", "") if how.thousands and _GROUPED.fullmatch(cell) else cell


def encoding_of(content: bytes) -> str:
    """Return the encoding: by its mark, else UTF-8 if all of it is, else Windows-1252 as Western spreadsheets write it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in content[:_LOOK]:
        raise TableRefused("binary", "the file is not text")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"


def plain(content: bytes, encoding: str) -> bytes:
    """Return the file as UTF-8 without a mark."""
    if encoding == "utf-8":
        return content
    if encoding == "utf-8-sig":
        return content[3:]
    try:
        return content.decode(encoding, "replace" if encoding == "cp1252" else "strict").encode().removeprefix(b"\xef\xbb\xbf")
    except UnicodeError as error:
        raise TableRefused("encoding", f"the file says it is {encoding}, and is not") from error


def _head(content: bytes, encoding: str) -> list[str]:
    """Return the first lines, without one that is cut."""
    part = content[: _LOOK * (2 if encoding == "utf-16" else 1)]
    text = part.decode(encoding, "ignore").lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.splitlines(keepends=True)
    return (lines[:-1] if len(part) < len(content) and len(lines) > 1 else lines)[:_LINES]


def separator_of(lines: Sequence[str]) -> str:
    """Return the separator that parts most lines into equally many cells, more than one; a comma where none does."""
    best, found = (0.0, 0), ","
    for separator in _SEPARATORS:
        try:
            rows = [row for row in csv.reader(io.StringIO("".join(lines)), delimiter=separator) if row]
        except csv.Error as error:
            raise TableRefused("no_table", f"the file cannot be read as a table: {error}") from error
        width = len(rows[0]) if rows else 0
        same = sum(len(row) == width for row in rows) / len(rows) if rows else 0.0
        if width > 1 and (round(same, 2), width) > best:
            best, found = (round(same, 2), width), separator
    return found


def _has_commas(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether more cells are numbers with a decimal comma than with a decimal point."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    return commas > sum(_DECIMAL_POINT.fullmatch(cell) is not None for cell in cells)


def _thousands(sign: str, rows: Sequence[Sequence[str]], content: bytes) -> str:
    """Return the sign if it sets thousands apart in some cell of the head, and stands in no other number of the file."""
    shows, denies = _GROUPS[sign]
    shown = any(shows.fullmatch(cell.strip()) for row in rows for cell in row)
    return sign if shown and not denies.search(content) else ""


def names(header: Sequence[str]) -> tuple[str, ...]:
    """Return unique, bounded names for columns; a column without one has its number."""
    found: list[str] = []
    for place, cell in enumerate(header):
        name = " ".join(cell.split())[:60] or f"column{place + 1}"
        while name.lower() in {one.lower() for one in found}:
            name = f"{name}_{place + 1}"
        found.append(name)
    return tuple(found)
