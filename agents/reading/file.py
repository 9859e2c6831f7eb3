"""Files become pages: images are read as they are, PDFs by their text layer where they have one, else as pictures of pages."""

import io
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from agents.errors import AgentFailed
from agents.reading.engine import Image
from agents.reading.page import Line, Page, Spot, page_of, rows_of
from events.media import PDF, sniffed

_SCALE = 2.5  # pixels per PDF point: 180 dots an inch
_MOST_PIXELS = 40_000_000  # of one picture, before it is unpacked: an A4 page at 600 dots an inch has 35 million
_LONG_SIDE = 2_400  # pixels; larger pictures are made smaller: the recognizer does no better, and takes its time
_LEAST_LETTERS = 8  # of a text layer: fewer are a stamp or a page number on a scan


class Recognizer(Protocol):
    """Whatever reads an image."""

    def read(self, image: Image) -> list[Spot]:
        """Return what stands in it."""
        ...


class Limits(Struct, frozen=True):
    """How much of a file is read."""

    pages: int = 20


def read_file(name: str, content: bytes, recognizer: Recognizer, limits: Limits) -> list[Page]:
    """Return the pages of a file.

    Raises:
        AgentFailed: it is neither an image nor a PDF, or damaged, or larger than what is read.
    """
    kind = sniffed(content[:16])
    if kind == PDF:
        return list(_pdf(name, content, recognizer, limits))
    if kind is None or not kind.startswith("image/"):
        raise AgentFailed("not_an_image", f"{name} is neither an image nor a PDF")
    return [_read(name, number, image, recognizer) for number, image in enumerate(_pictures(name, content, limits), 1)]


def _read(name: str, number: int, image: Image, recognizer: Recognizer) -> Page:
    height, width = image.shape[:2]
    return page_of(name, number, "ocr", (width, height), rows_of(recognizer.read(image)))


def _pictures(name: str, content: bytes, limits: Limits) -> Iterator[Image]:
    """Yield the pictures in an image file: one, but for TIFFs of several pages."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(content)) as opened:
            count = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
            _assert_few(name, count, limits)
            for number in range(count):
                opened.seek(number)
                if opened.width * opened.height > _MOST_PIXELS:
                    raise AgentFailed("image_too_large", f"{name} has {opened.width} x {opened.height} pixels")
                yield upright(opened)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise AgentFailed("image_too_large", f"{name} is larger than {_MOST_PIXELS} pixels") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise AgentFailed("not_an_image", f"{name} cannot be read as an image: {error}") from error


def upright(opened: Any) -> Image:
    """Return a picture as its camera held it, on white, in three colours and of a size that is worth reading."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    picture = ImageOps.exif_transpose(opened)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = Pillow.alpha_composite(Pillow.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    picture = picture.convert("RGB")
    picture.thumbnail((_LONG_SIDE, _LONG_SIDE))
    return np.asarray(picture, dtype=np.uint8)


def _pdf(name: str, content: bytes, recognizer: Recognizer, limits: Limits) -> Iterator[Page]:
    """Yield the pages of a PDF."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise AgentFailed("not_a_pdf", f"{name} cannot be read as a PDF: {error}") from error
    try:
        _assert_few(name, len(document), limits)
        for number in range(len(document)):
            yield _pdf_page(name, number + 1, document[number], recognizer)
    except pypdfium2.PdfiumError as error:
        raise AgentFailed("not_a_pdf", f"{name} is damaged: {error}") from error
    finally:
        document.close()


def _pdf_page(name: str, number: int, page: Any, recognizer: Recognizer) -> Page:
    """Return one page of a PDF, from its text layer or from a picture of it."""
    lines = _layer(page)
    if sum(map(str.isalnum, "".join(line.text for line in lines))) >= _LEAST_LETTERS:
        return page_of(name, number, "text_layer", (round(page.get_width()), round(page.get_height())), lines)
    scale = min(_SCALE, _LONG_SIDE / max(page.get_width(), page.get_height(), 1.0))
    picture = page.render(scale=scale).to_pil().convert("RGB")
    return _read(name, number, np.asarray(picture, dtype=np.uint8), recognizer)


def _layer(page: Any) -> list[Line]:
    """Return the lines of a page's text layer, from top to bottom; boxes are in points from the upper left."""
    text = page.get_textpage()
    try:
        height = page.get_height()
        spots = []
        for number in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(number)
            said = text.get_text_bounded(left, bottom, right, top).strip()
            if said:
                up, down = height - top, height - bottom
                spots.append(Spot(((left, up), (right, up), (right, down), (left, down)), " ".join(said.split()), 1.0))
        return rows_of(spots)
    finally:
        text.close()


def _assert_few(name: str, count: int, limits: Limits) -> None:
    if count > limits.pages:
        raise AgentFailed("too_many_pages", f"{name} has {count} pages; {limits.pages} are read at most")
