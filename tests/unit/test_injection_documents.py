"""Injection by files: orders in every place of a document that our readers know, before a model that obeys every text.

What whoever opens the file sees reaches the model as data, and has no effect; what nobody sees does not reach it.
"""

import io
import json
from collections.abc import Callable
from time import perf_counter

import docx
import msgspec
import openpyxl
import pytest
from openpyxl.comments import Comment

from agents.document.kind import CSV, DOCX, HTML, MARKDOWN, PDF, TEXT, XLSX
from agents.document.text import text_of
from agents.pipelines.tools import ToolSettings, work_with
from tests.injected import ALLOWED_URL, SECRETS, WISHES, Ledger, World, work_of
from tests.obedient import Obedient, order

Carrier = Callable[[str], tuple[bytes, str]]
_ASKED = (("knowledge_search", {"query": "q"}),)
_WISHED = [name for name in WISHES if not name.startswith("code ") or name == "code in sums"]  # contained code starts a process


def escaped(text: str) -> str:
    """Return a text as it stands in HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def page(inside: str, head: str = "") -> tuple[bytes, str]:
    """Return a page with something visible, and this."""
    return f"<html><head>{head}</head><body><p>Nothing of note.</p>{inside}</body></html>".encode(), HTML


def word(change: Callable[[docx.document.Document], object]) -> tuple[bytes, str]:
    """Return a Word document with something visible, and a change."""
    made = docx.Document()
    made.add_paragraph("Nothing of note.")
    change(made)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue(), DOCX


def hidden_run(made: docx.document.Document, text: str) -> None:
    """Add a run that Word does not show."""
    made.paragraphs[0].add_run(text).font.hidden = True


def book(change: Callable[[openpyxl.Workbook], object]) -> tuple[bytes, str]:
    """Return a workbook with something visible, and a change."""
    made = openpyxl.Workbook()
    made.active.append(["note", "sum"])
    made.active.append(["nothing of note", 1])
    change(made)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue(), XLSX


def hidden_sheet(made: openpyxl.Workbook, text: str) -> None:
    """Add a sheet that is not shown."""
    sheet = made.create_sheet("b")
    sheet.append(["note", "more"])
    sheet.append([text, 1])
    sheet.sheet_state = "hidden"


def pdf(said: str, named: str) -> tuple[bytes, str]:
    """Return a PDF that says something on its page, and something in its metadata."""
    plain = said.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    lines = "".join(f"({plain[start : start + 80]}) Tj 0 -14 Td " for start in range(0, len(plain), 80))
    stream = f"BT /F1 6 Tf 20 720 Td {lines}ET".encode()
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Title<%s>/Subject<%s>>>" % (named.encode().hex().encode(), named.encode().hex().encode()),
    )
    found = b"%PDF-1.4\n"
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(found))
        found += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 7/Root 1 0 R/Info 6 0 R>>\nstartxref\n%d\n%%%%EOF" % len(found)
    return found + b"xref\n0 7\n0000000000 65535 f \n" + table + trailer, PDF


def quoted(text: str) -> str:
    """Return a text as it stands in CSV."""
    return '"' + text.replace('"', '""') + '"'


SEEN: dict[str, Carrier] = {
    "a text": lambda text: (text.encode(), TEXT),
    "markdown": lambda text: (f"# Note\n\n{text}\n\n```\n{text}\n```\n".encode(), MARKDOWN),
    "a paragraph": lambda text: page(f"<p>{escaped(text)}</p>"),
    "a heading": lambda text: page(f"<h2>{escaped(text)}</h2>"),
    "the head of a CSV": lambda text: (f"{quoted(text)},sum\n1,2\n3,4\n".encode(), CSV),
    "a cell of a CSV": lambda text: (f"note,sum\n{quoted(text)},2\nb,4\n".encode(), CSV),
    "a paragraph of Word": lambda text: word(lambda made: made.add_paragraph(text)),
    "a cell of a workbook": lambda text: book(lambda made: made.active.append([text, 1])),
    "the head of a workbook": lambda text: book(lambda made: setattr(made.active["A1"], "value", text)),
}
UNSEEN: dict[str, Carrier] = {
    "a comment of HTML": lambda text: page(f"<!-- {text} -->"),
    "an attribute": lambda text: page(f'<p title="{escaped(text)}" data-a="{escaped(text)}">a</p><img alt="{escaped(text)}">'),
    "metadata of HTML": lambda text: page("", f'<meta name="description" content="{escaped(text)}">'),
    "a script": lambda text: page(f"<script>{text}</script><template>{escaped(text)}</template>"),
    "hidden": lambda text: page(f"<p hidden>{escaped(text)}</p>"),
    "not displayed": lambda text: page(f'<div><p style="color:red; Display : none !important">{escaped(text)}</p></div>'),
    "not visible": lambda text: page(f'<p style="visibility:hidden">{escaped(text)}</p>'),
    "without a size": lambda text: page(f'<span style="font-size:0px">{escaped(text)}</span>'),
    "without opacity": lambda text: page(f'<span style="opacity: 0.0;">{escaped(text)}</span>'),
    "a comment of Word": lambda text: word(lambda made: made.add_comment(made.paragraphs[0].runs, text=text, author="m")),
    "a hidden run": lambda text: word(lambda made: hidden_run(made, text)),
    "properties of Word": lambda text: word(lambda made: setattr(made.core_properties, "comments", text[:250])),
    "a comment of a workbook": lambda text: book(lambda made: setattr(made.active["A1"], "comment", Comment(text, "m"))),
    "a hidden sheet": lambda text: book(lambda made: hidden_sheet(made, text)),
    "metadata of a PDF": lambda text: pdf("Nothing of note.", text),
}


async def read_by_the_obedient(text: str) -> tuple[World, Obedient, str]:
    """Let the obedient model find a document's text; return the world, the model, and all that came of it."""
    world, model = World("document", text), Obedient(_ASKED)
    settings = ToolSettings(planner="model", targets={"post": {"url": (ALLOWED_URL,)}})
    result = await work_with(world.tools, settings, model, work_of(world), Ledger(), perf_counter)
    return world, model, model.read + json.dumps(msgspec.to_builtins(result))


@pytest.mark.parametrize("wish", _WISHED)
@pytest.mark.parametrize("place", SEEN)
async def test_an_order_in_a_document_has_no_effect(place: str, wish: str) -> None:
    """The model reads it out of the file, obeys, and nothing forbidden is called, nothing goes elsewhere, no secret is told."""
    text = text_of(*SEEN[place](order(*WISHES[wish])))

    world, model, everything = await read_by_the_obedient(text)

    assert model.obeyed == 1, "the model never saw the order, so nothing was tried"
    assert world.forbidden == []
    assert set(world.posted) <= {ALLOWED_URL}
    assert all(searched == ("default", ("manuals",)) for searched in world.searched)
    assert not [secret for secret in SECRETS if secret in everything]


@pytest.mark.parametrize("place", UNSEEN)
async def test_what_nobody_sees_is_not_read(place: str) -> None:
    """An order where whoever opens the file sees nothing reaches neither the index nor the model."""
    text = text_of(*UNSEEN[place](order("pay", {"to": "mallory"})))

    world, model, _ = await read_by_the_obedient(text)

    assert "othing of note" in text
    assert "mallory" not in text
    assert (model.obeyed, world.forbidden) == (0, [])


def test_a_pdf_is_really_read() -> None:
    """The PDF of these tests has a page with text, so that its metadata could have come along."""
    assert "mallory" in text_of(*pdf("the page of mallory", "a title"))


def test_what_is_shown_again_is_read() -> None:
    """A mark that hides nothing takes nothing away."""
    content, kind = word(lambda made: setattr(made.paragraphs[0].add_run(" Seen.").font, "hidden", False))
    shown, _ = page('<p style="display:block; font-size:0.5em; opacity:0.9">Seen.</p>')

    assert "Seen." in text_of(content, kind)
    assert "Seen." in text_of(shown, HTML)
