"""The text of a PDF: its text layer, what the pictures on its pages say, and pages that are nothing but pictures, by OCR.

Source: https://pypdfium2.readthedocs.io.
"""

from collections.abc import Iterator
from typing import Any

from agents.document.errors import DocumentUnreadable
from agents.document.picture import MOST_READ, is_worth_reading, text_of_picture

MOST_PAGES = 2_000
_SCALE = 2.0  # of a page for OCR: 144 dots per inch
_DEEP = 3  # forms in forms in which pictures may lie


def text_of_pdf(content: bytes) -> str:
    """Return the text, page by page.

    Raises:
        DocumentUnreadable: it is damaged or encrypted, or has too many pages or too many pages that are pictures.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentUnreadable("protected", "the PDF is encrypted: save it without a password, and add that") from error
        raise DocumentUnreadable("damaged", f"the PDF cannot be opened: {error}") from error
    try:
        if len(pdf) > MOST_PAGES:
            raise DocumentUnreadable("too_long", f"it has {len(pdf)} pages; {MOST_PAGES} are read")
        return "\n\n".join(_pages(pdf))
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable("damaged", f"a page of the PDF cannot be read: {error}") from error
    finally:
        pdf.close()


def _pages(pdf: Any) -> Iterator[str]:
    """Yield the texts of pages; a page without a text layer is read as one picture, and others' pictures as long as few were."""
    scanned = 0
    for page in pdf:
        text = page.get_textpage().get_text_bounded()
        if text.strip():
            pictures = list(_pictures(page))[: max(0, MOST_READ - scanned)]
            scanned += len(pictures)
            yield "\n\n".join([text, *filter(None, map(text_of_picture, pictures))])
            continue
        if scanned >= MOST_READ:
            raise DocumentUnreadable("too_long", f"it has more than {MOST_READ} pages or pictures without a text layer")
        scanned += 1
        yield text_of_picture(page.render(scale=_SCALE).to_pil())


def _pictures(page: Any) -> Iterator[Any]:
    """Yield the pictures on a page that are large enough for text."""
    from pypdfium2 import raw

    for one in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEP):
        if is_worth_reading(*one.get_px_size()):
            yield one.get_bitmap(render=False).to_pil()
