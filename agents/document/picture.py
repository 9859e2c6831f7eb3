"""The text of a picture: RapidOCR's lines in reading order. Source: https://github.com/RapidAI/RapidOCR."""

from functools import cache
from typing import Any

from agents.document.errors import DocumentUnreadable

MOST_PIXELS = 60_000_000


def text_of_picture(picture: Any) -> str:
    """Return the lines in a picture (its bytes, or pixels as an array), top to bottom; empty where there are none.

    Raises:
        DocumentUnreadable: it cannot be opened, or has too many pixels.
    """
    try:
        if isinstance(picture, bytes):
            _assert_small(picture)
        found = _reader()(picture)
    except DocumentUnreadable:
        raise
    except Exception as error:
        raise DocumentUnreadable("damaged", f"the picture cannot be read: {type(error).__name__}: {error}"[:200]) from error
    return "\n".join(found.txts or ())


def _assert_small(content: bytes) -> None:
    """Refuse a picture that would not fit into memory, from what its head says."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
    if width * height > MOST_PIXELS:
        raise DocumentUnreadable("bomb", f"it has {width} x {height} pixels; {MOST_PIXELS} are read")


@cache
def _reader() -> Any:
    """Open the models, once in a process."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})
