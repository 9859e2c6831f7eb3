"""Reading scans and PDFs: rows of spots, pages of files, what is refused. The recognizer is a stand-in but in one test."""

import io
import math
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipeline import Effect, Result, Toolbox, Work
from agents.reading.engine import Engine, Image
from agents.reading.file import Limits, read_file
from agents.reading.page import Spot, confidence_of, rows_of, skew_of
from agents.reading.turn import quarters, turned
from bench.agents.invoice import drawn, invoice, worn
from bench.agents.ocr import judged, plain_rows
from events.agent import AgentSpec
from events.task import FileRef
from learning.outcomes import Outcomes
from tests.builders import moment

ROOT = Path(__file__).resolve().parents[2]
WORDS = (("Total", 60, 100), ("12.50", 700, 100), ("Net", 60, 140), ("10.50", 700, 140))


class Told:
    """A recognizer that finds what it was told."""

    def __init__(self, *spots: Spot) -> None:
        self.spots = list(spots)
        self.sizes: list[tuple[int, ...]] = []

    def read(self, image: Image) -> list[Spot]:
        """Find it."""
        self.sizes.append(image.shape)
        return self.spots


class Held:
    """A blob store with one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def get(self, sha256: str) -> bytes:
        """Return it."""
        return self.content

    async def put(self, content: bytes) -> str:
        """Store nothing."""
        raise NotImplementedError


class NoEffects:
    """Nothing happens outside."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Refuse."""
        raise NotImplementedError


def spot(text: str, left: float, top: float, turn: float = 0.0, confidence: float = 0.9) -> Spot:
    """Return a spot 20 pixels high on a page that lies askew by so many radians."""
    right, bottom = left + 14 * len(text), top + 20
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    turned = [(x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)) for x, y in corners]
    return Spot((turned[0], turned[1], turned[2], turned[3]), text, confidence)


def picture(size: tuple[int, int] = (300, 200), form: str = "PNG", mode: str = "RGB") -> bytes:
    """Return an image file that is empty."""
    buffer = io.BytesIO()
    Pillow.new(mode, size, "white").save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("degrees", [0, 2, -2, 4])
def test_columns_of_a_page_that_lies_askew_are_read_as_rows(degrees: float) -> None:
    """Two degrees lift the end of a row by more than the next row is away; in whatever order spots come."""
    spots = [spot(text, x, y, math.radians(degrees)) for text, x, y in WORDS]
    random.Random(1).shuffle(spots)

    assert [line.text for line in rows_of(spots)] == ["Total 12.50", "Net 10.50"]
    assert skew_of(spots) == pytest.approx(math.radians(degrees), abs=1e-6)


@pytest.mark.parametrize("degrees", [90, 93, 178, 180, 182, 270, 268])
def test_a_page_that_lies_sideways_or_upside_down_is_read_from_its_top(degrees: float) -> None:
    """Corners begin where the text does; however the page lies, rows come as they would on one that stands."""
    spots = [spot(text, x, y, math.radians(degrees)) for text, x, y in WORDS]

    assert [line.text for line in rows_of(spots[::-1])] == ["Total 12.50", "Net 10.50"]


@pytest.mark.parametrize(
    ("standing", "flipped", "times"), [(False, False, 0), (True, False, 1), (False, True, 2), (True, True, 3)]
)
def test_most_long_lines_tell_how_a_page_lies(standing: bool, flipped: bool, times: int) -> None:
    """A single letter, and a line that was taken the wrong way, change nothing."""
    across, down = (20.0, 300.0) if standing else (300.0, 20.0)
    box = ((0.0, 0.0), (across, 0.0), (across, down), (0.0, down))
    letter = ((0.0, 0.0), (down, 0.0), (down, across), (0.0, across))

    assert quarters([box, box, letter], [(15.0, flipped), (15.0, flipped), (4.0, not flipped), (1.0, not flipped)]) == times


def test_corners_begin_where_the_text_does() -> None:
    """On a page turned clockwise a line begins at the upper right."""
    found = Spot(((0, 0), (20, 0), (20, 300), (0, 300)), "Total", 0.9)

    assert turned(found, 1).corners == ((20, 0), (20, 300), (0, 300), (0, 0))
    assert turned(found, 0) == found


def test_a_page_with_nothing_long_is_taken_as_it_is() -> None:
    """Neither letters nor nothing turn a page."""
    assert quarters([], []) == 0
    assert quarters([((0, 0), (10, 0), (10, 20), (0, 20))], [(0.5, True)]) == 0


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_real_recognizer_reads_a_page_that_was_put_in_the_wrong_way(degrees: int) -> None:
    """Sideways or upside down, the rows come as they stand on the page."""
    paper = Pillow.new("RGB", (700, 300), "white")
    for row, text in enumerate(("Northwind Freight", "Invoice 2031-0042", "Total EUR 118.40")):
        ImageDraw.Draw(paper).text((40, 30 + 80 * row), text, fill="black", font=ImageFont.load_default(40))
    buffer = io.BytesIO()
    paper.rotate(degrees, expand=True).save(buffer, "PNG")

    (page,) = read_file("a.png", buffer.getvalue(), Engine.load(), Limits())

    assert page.text.split("\n") == ["Northwind Freight", "Invoice 2031-0042", "Total EUR 118.40"]


def test_the_baseline_of_the_bench_fails_where_it_should() -> None:
    """By height alone a straight page is read right, and a page that lies askew is not."""
    straight, askew = ([spot(text, x, y, turn) for text, x, y in WORDS] for turn in (0.0, math.radians(3)))

    assert plain_rows(straight) == "Total 12.50\nNet 10.50"
    assert plain_rows(askew) != "Total 12.50\nNet 10.50"


def test_confidence_weighs_characters() -> None:
    """A long line counts more than a short one; where nothing was read there is none."""
    lines = rows_of([spot("a" * 9, 0, 0, confidence=1.0), spot("b", 0, 100, confidence=0.0)])

    assert confidence_of(lines) == pytest.approx(0.9)
    assert confidence_of([]) == 0.0


def test_a_blank_page_has_no_text_and_no_confidence() -> None:
    """It is no failure."""
    (page,) = read_file("a.png", picture(), Told(), Limits())

    assert (page.source, page.text, page.confidence, page.width, page.height) == ("blank", "", 0.0, 300, 200)


def test_every_page_of_a_tiff_is_read() -> None:
    """Up to the limit, beyond which nothing is."""
    buffer = io.BytesIO()
    frames = [Pillow.new("RGB", (100, 50), "white") for _ in range(3)]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])

    assert [page.page for page in read_file("a.tiff", buffer.getvalue(), Told(), Limits())] == [1, 2, 3]
    with pytest.raises(AgentFailed, match="3 pages; 2 are read at most"):
        read_file("a.tiff", buffer.getvalue(), Told(), Limits(pages=2))


def test_what_is_transparent_is_white() -> None:
    """Else black letters would stand on black."""
    seen: list[Image] = []

    class Looking(Told):
        def read(self, image: Image) -> list[Spot]:
            seen.append(image)
            return []

    buffer = io.BytesIO()
    Pillow.new("RGBA", (40, 40), (0, 0, 0, 0)).save(buffer, "PNG")
    read_file("a.png", buffer.getvalue(), Looking(), Limits())

    assert seen[0].min() == 255


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "not_an_image"),
        (b"", "not_an_image"),
        (picture()[:60], "not_an_image"),
        (b"%PDF-1.7 and nothing more", "not_a_pdf"),
        (picture((7_000, 6_000), mode="1"), "image_too_large"),
        (picture((14_000, 14_000), mode="1"), "image_too_large"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, reason: str) -> None:
    """By name, and before it is unpacked."""
    with pytest.raises(AgentFailed) as caught:
        read_file("a", content, Told(), Limits())

    assert caught.value.reason == reason


def test_a_text_layer_is_taken_and_a_scan_is_recognized() -> None:
    """The layer's lines are exact and sure; the recognizer is asked for the scanned page only."""
    buffer, told = io.BytesIO(), Told(spot("scanned", 10, 10))
    Pillow.new("RGB", (300, 200), "white").save(buffer, "PDF")

    (scan,) = read_file("scan.pdf", buffer.getvalue(), told, Limits())
    (layer,) = read_file("layer.pdf", _written("Total due 12.50 EUR"), told, Limits())

    assert (scan.source, scan.text) == ("ocr", "scanned")
    assert (layer.source, layer.text, layer.confidence) == ("text_layer", "Total due 12.50 EUR", 1.0)
    assert len(told.sizes) == 1


async def test_the_real_recognizer_reads_an_invoice_and_a_strict_agent_refuses_a_blank_page(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A noisy scan keeps the error rate asked for; nothing is written to the terminal."""
    paper = invoice(random.Random(5))
    scan = worn(drawn(paper), "noisy", np.random.default_rng(5))

    result = await _done(scan, {})
    with pytest.raises(AgentFailed) as caught:
        await _done(picture(), {"least_confidence": 0.5})

    reading = judged(paper, result.output["text"], 0.0)
    assert reading.errors / reading.characters <= 0.03
    assert (reading.date, result.output["pages"][0]["source"]) == (True, "ocr")
    assert [step.model for step in result.steps if step.name == "read"] == [Engine.load().model]
    assert caught.value.reason == "implausible"
    assert capfd.readouterr() == ("", "")


async def _done(content: bytes, settings: dict[str, Any]) -> Result:
    """Do one attempt at a task with one file."""

    def recordings(_path: Path) -> Outcomes:
        raise NotImplementedError

    async with httpx.AsyncClient() as http:
        toolbox = Toolbox(ROOT, frozenset(), http, recordings, Held(content))
        work = Work("t", "task", 1, "a", None, "scan", {}, moment(9), (FileRef("scan", "image/png", "5e" * 32, len(content)),))
        return await build(AgentSpec("a", "d", ("s",), "ocr", settings), toolbox).run(work, NoEffects(), perf_counter)


def _written(text: str) -> bytes:
    """Return a PDF of one page with a text layer, written by hand."""
    stream = f"BT /F1 18 Tf 40 140 Td ({text}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer
