"""Documents give their text, or say why not: whatever strangers send."""

import io
import zipfile

import docx
import openpyxl
import pytest

from agents.document.contained import read
from agents.document.errors import DocumentUnreadable
from agents.document.kind import CSV, DOCX, HTML, KINDS, PDF, TEXT, XLSX, kind_of
from agents.document.text import text_of


def word(*paragraphs: str) -> bytes:
    """Return a Word document with a heading, paragraphs and a table."""
    made = docx.Document()
    made.add_heading("Pumps", level=1)
    for one in paragraphs:
        made.add_paragraph(one)
    table = made.add_table(rows=2, cols=2)
    for place, text in enumerate(("part", "price", "seal", "3")):
        table.cell(place // 2, place % 2).text = text
    return saved(made)


def sheet() -> bytes:
    """Return a workbook with a head and two rows."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Parts"
    for row in (("name", "price"), ("seal", 3), ("pump", 4.5)):
        page.append(row)
    return saved(book)


def saved(made: object) -> bytes:
    """Return what is written into a file."""
    stream = io.BytesIO()
    made.save(stream)  # type: ignore[attr-defined]
    return stream.getvalue()


def drawn(text: str) -> bytes:
    """Return a picture of a line of text."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (700, 120), "white")
    ImageDraw.Draw(picture).text((30, 30), text, fill="black", font=ImageFont.load_default(48))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=92)
    return stream.getvalue()


def illustrated(text: str, picture: bytes) -> bytes:
    """Return a PDF with a line of text and a picture below it."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET q 350 0 0 60 72 500 cm /I1 Do Q".encode()
    image = b"/Type/XObject/Subtype/Image/Width 700/Height 120/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
    return bound(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</I1 6 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<<%s/Length %d>>stream\n%s\nendstream" % (image, len(picture), picture),
    )


def locked() -> bytes:
    """Return a PDF that needs a password: no password has these digests."""
    digests = b"/O<%s>/U<%s>" % (b"41" * 32, b"42" * 32)
    return bound(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[]/Count 0>>",
        b"<</Filter/Standard/V 1/R 2/P -44%s>>" % digests,
        trailer=b"/Encrypt 3 0 R/ID[<0102><0102>]",
    )


def pdf(text: str) -> bytes:
    """Return the least PDF with a line of text."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    return bound(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def bound(*parts: bytes, trailer: bytes = b"") -> bytes:
    """Return objects as a PDF."""
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(parts) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    return out + head + table + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (size, trailer, len(out))


def packed(**parts: bytes) -> bytes:
    """Return an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def test_each_kind_gives_its_text() -> None:
    """Headings, rows of tables and paragraphs are there, scripts are not."""
    page = b"<html><head><title>x</title><script>evil()</script></head><body><h1>Pumps</h1><p>They <b>hum</b>.</p></body></html>"

    assert text_of(b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe\x00", TEXT) == "Größe\ufffd"
    assert text_of("Größe".encode("cp1252"), TEXT) == "Größe"
    assert text_of(page, HTML) == "# Pumps\n\nThey hum."
    assert text_of(b"name;price\nseal;3\npump;4\n", CSV) == "name: seal; price: 3.\nname: pump; price: 4."
    assert text_of(word("They hum."), DOCX) == "# Pumps\n\nThey hum.\n\npart: seal; price: 3."
    assert text_of(sheet(), XLSX) == "# Parts\n\nname: seal; price: 3.\nname: pump; price: 4.5."
    assert text_of(pdf("They hum."), PDF) == "They hum."


BOMB = packed(**{"word/document__xml": b"<a/>", "zeros": bytes(300_000_000)})
ENTITIES = packed(**{"word/document__xml": b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'})
HOSTILE = {
    "a bomb": (BOMB, DOCX, "bomb"),
    "entities": (ENTITIES, DOCX, "bomb"),
    "no archive": (b"PK\x03\x04 nothing", XLSX, "damaged"),
    "an empty archive": (packed(a=b""), DOCX, "damaged"),
    "encrypted office": (b"\xd0\xcf\x11\xe0" + bytes(600), DOCX, "protected"),
    "half a PDF": (pdf("They hum.")[:120], PDF, "damaged"),
    "no PDF": (b"hello", PDF, "damaged"),
    "bytes": (bytes(1000), TEXT, "damaged"),
    "nothing": (b"", TEXT, "no_text"),
    "no kind": (b"x", "application/x-executable", "unknown_kind"),
}


@pytest.mark.parametrize(("content", "kind", "reason"), HOSTILE.values(), ids=list(HOSTILE))
def test_what_cannot_be_read_says_why(content: bytes, kind: str, reason: str) -> None:
    """Damaged, protected and hostile files are refused with a reason."""
    with pytest.raises(DocumentUnreadable) as refused:
        text_of(content, kind)

    assert refused.value.reason == reason
    assert str(refused.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("image")])
@pytest.mark.parametrize("junk", [b"", b"\x00" * 500, b"<" * 500, b"PK\x03\x04" * 50, b"%PDF-1.4\n" + b"\xff" * 500])
def test_nonsense_ends_in_a_text_or_a_reason(kind: str, junk: bytes) -> None:
    """Whatever comes, no other error does."""
    try:
        ended = text_of(junk, kind)
    except DocumentUnreadable as refused:
        ended = refused.reason

    assert ended


def test_pictures_inside_documents_are_read() -> None:
    """What a picture in a PDF or in a Word document says stands with the text around it."""
    picture = drawn("Order 4711 was shipped")
    made = docx.Document()
    made.add_paragraph("Before the picture.")
    made.add_picture(io.BytesIO(picture))
    made.add_paragraph("Behind the picture.")

    in_word, in_pdf = text_of(saved(made), DOCX), text_of(illustrated("A page with text", picture), PDF)

    assert in_word.index("Before") < in_word.index("4711") < in_word.index("Behind")
    assert in_pdf.index("A page with text") < in_pdf.index("4711")


def test_an_encrypted_pdf_says_what_to_do() -> None:
    """One sentence, without the library's words."""
    with pytest.raises(DocumentUnreadable, match=r"^the PDF is encrypted: save it without a password, and add that$") as refused:
        text_of(locked(), PDF)

    assert refused.value.reason == "protected"


async def test_a_reader_is_bounded_and_its_end_is_told() -> None:
    """A document is read in a process of its own; who takes too long is stopped."""
    assert await read(word("They hum."), DOCX) == "# Pumps\n\nThey hum.\n\npart: seal; price: 3."

    with pytest.raises(DocumentUnreadable) as refused:
        await read(word("They hum."), DOCX, seconds=0.01)

    assert refused.value.reason == "too_slow"


def test_a_kind_is_known_by_the_ending() -> None:
    """Upper and lower case mean the same; what is not read has no kind."""
    assert kind_of("A.PDF") == PDF
    assert kind_of("a.exe") is None
