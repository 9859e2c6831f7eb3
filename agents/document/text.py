"""The text of a document. Whatever does not end, or grows beyond reason, is refused; run it in `contained`, not in a server.

Headings become lines that begin with `#`, rows of tables lines of `name: value`, so that each piece of the text says what it is.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from agents.document.errors import DocumentUnreadable
from agents.document.kind import CSV, DOCX, HTML, IMAGES, MARKDOWN, PDF, TEXT, XLSX
from agents.document.pdf import text_of_pdf
from agents.document.picture import MOST_READ, is_worth_reading, size_of, text_of_picture
from agents.document.unseen import is_shown, without_hidden_nodes, without_hidden_runs

MOST_CHARS = 5_000_000
MOST_UNPACKED = 200_000_000
MOST_FILES = 10_000
MOST_ROWS = 200_000


def text_of(content: bytes, media_type: str) -> str:
    """Return the text of a document.

    Raises:
        DocumentUnreadable: it is damaged, protected, too large, empty, or of a kind that is not read.
    """
    read = _READERS.get(media_type)
    if read is None:
        raise DocumentUnreadable("unknown_kind", f"{media_type} is not read; see `smolit knowledge add --help`")
    text = _tidy(read(content))
    if not text:
        raise DocumentUnreadable("no_text", "there is no text in it")
    return text


def _tidy(text: str) -> str:
    """Return text that every store can hold: no NUL, no lone surrogate, no blanks at the ends of lines."""
    if len(text) > MOST_CHARS:
        raise DocumentUnreadable("too_long", f"its text has {len(text)} characters; {MOST_CHARS} are read")
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return "\n".join(line.rstrip() for line in clean.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def _plain(content: bytes) -> str:
    """Return the text of plain bytes: UTF-8, UTF-16 with its mark, or, where it is no UTF-8, Windows' Latin."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if content.count(0) > len(content) // 100 + 1:
        raise DocumentUnreadable("damaged", "it is no text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _html(content: bytes) -> str:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_plain(content))
    for hidden in ("script", "style", "noscript", "template", "svg", "head > *:not(title)", "nav"):
        for node in tree.css(hidden):
            node.decompose()
    without_hidden_nodes(tree)
    for level in range(1, 5):
        for node in tree.css(f"h{level}"):
            node.replace_with(f"\n\n{'#' * level} {node.text(strip=True)}\n\n")
    for row in tree.css("tr"):
        cells = [cell.text(strip=True) for cell in row.css("th, td")]
        row.replace_with("\n" + " | ".join(cells) + "\n")
    for block in tree.css("p, li, div, section, article, pre, blockquote"):
        block.insert_after("\n\n" if block.tag != "li" else "\n")
    for line in tree.css("br"):
        line.replace_with("\n")
    body = tree.body
    lines = (" ".join(line.split()) for line in (body.text() if body else "").split("\n"))
    return _without_gaps(lines)


def _without_gaps(lines: Iterable[str]) -> str:
    """Return lines with at most one empty one in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept)


def _csv(content: bytes) -> str:
    text = _plain(content)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        return _table(list(islice(csv.reader(io.StringIO(text), dialect), MOST_ROWS + 1)))
    except csv.Error as error:
        raise DocumentUnreadable("damaged", f"it is no table: {error}") from error


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as lines of `name: value`, one a row."""
    if len(rows) > MOST_ROWS:
        raise DocumentUnreadable("too_long", f"it has more than {MOST_ROWS} rows")
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return ""
    head, *rest = filled
    if not rest:
        return ", ".join(head)
    return "\n".join(_named(head, row) for row in rest)


def _named(head: Sequence[str], row: Sequence[str]) -> str:
    cells = [(head[place].strip() if place < len(head) else "", cell.strip()) for place, cell in enumerate(row)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell) + "."


def _docx(content: bytes) -> str:
    import docx
    from docx.table import Table

    _assert_packed(content)
    try:
        document = docx.Document(io.BytesIO(content))
        without_hidden_runs(document.element.body)
        pictures = _Pictures(document.part.related_parts)
        parts = document.iter_inner_content()
        return "\n\n".join(
            _table(_cells(part)) if isinstance(part, Table) else _paragraph(part) + pictures.of(part) for part in parts
        )
    except DocumentUnreadable:
        raise
    except Exception as error:
        raise DocumentUnreadable("damaged", f"the document cannot be read: {_short(error)}") from error


class _Pictures:
    """Reads the pictures in the paragraphs of a Word document, as far as they are few and large enough for text."""

    def __init__(self, related: Mapping[str, object]) -> None:
        self._related, self._left = related, MOST_READ

    def of(self, paragraph: object) -> str:
        """Return what the pictures in a paragraph say."""
        names = paragraph._p.xpath(".//a:blip/@r:embed")  # type: ignore[attr-defined]
        return "".join(f"\n\n{text}" for name in names if (text := self._read(getattr(self._related.get(name), "blob", b""))))

    def _read(self, content: bytes) -> str:
        """Return the text of one; a picture that cannot be read, a drawing of vectors say, has none."""
        try:
            if self._left <= 0 or not content or not is_worth_reading(*size_of(content)):
                return ""
            self._left -= 1
            return text_of_picture(content)
        except DocumentUnreadable:
            return ""


def _paragraph(part: object) -> str:
    """Return a paragraph; a heading is marked as one."""
    text, style = str(getattr(part, "text", "")), str(getattr(getattr(part, "style", None), "name", ""))
    level = style.removeprefix("Heading ")
    if style == "Title":
        return f"# {text}"
    return f"{'#' * int(level)} {text}" if style.startswith("Heading ") and level.isdigit() and text else text


def _cells(table: object) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]  # type: ignore[attr-defined]


def _xlsx(content: bytes) -> str:
    import openpyxl

    _assert_packed(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return "\n\n".join(f"# {sheet.title}\n\n{_table(list(_sheet(sheet)))}" for sheet in book.worksheets if is_shown(sheet))
    except DocumentUnreadable:
        raise
    except Exception as error:
        raise DocumentUnreadable("damaged", f"the workbook cannot be read: {_short(error)}") from error


def _sheet(sheet: object) -> Iterator[list[str]]:
    rows = sheet.iter_rows(values_only=True)  # type: ignore[attr-defined]
    for row in islice(rows, MOST_ROWS + 1):
        yield ["" if value is None else str(value) for value in row]


def _assert_packed(content: bytes) -> None:
    """Refuse an archive that unpacks to more than anybody writes, and XML that declares entities."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentUnreadable("protected", "it is encrypted, or of an older format")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_FILES or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise DocumentUnreadable("bomb", f"it unpacks to more than {MOST_UNPACKED // 1_000_000} MB")
            if any(part.flag_bits & 1 for part in parts):
                raise DocumentUnreadable("protected", "it is encrypted")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as stream:
                        head = stream.read(8_192)
                        if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                            raise DocumentUnreadable("bomb", "its XML declares entities, which no office writes")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DocumentUnreadable("damaged", f"it is no archive: {_short(error)}") from error


def _picture(content: bytes) -> str:
    return text_of_picture(content)


def _short(error: Exception) -> str:
    """Return what a library says, in short."""
    return f"{type(error).__name__}: {error}"[:200]


_READERS: dict[str, Callable[[bytes], str]] = {
    TEXT: _plain,
    MARKDOWN: _plain,
    HTML: _html,
    CSV: _csv,
    PDF: text_of_pdf,
    DOCX: _docx,
    XLSX: _xlsx,
    **dict.fromkeys(IMAGES, _picture),
}
