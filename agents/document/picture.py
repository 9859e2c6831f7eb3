"""The text of a picture: RapidOCR's lines in reading order. Source: https://github.com/RapidAI/RapidOCR."""

from functools import cache
from typing import Any

from agents.document.errors import DocumentUnreadable

MOST_PIXELS = 60_000_000
MOST_READ = 30  # pictures of one document: half a second to some seconds each
_LEAST = (80, 24)  # pixels across and down of a picture with a word in it


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


def is_worth_reading(width: int, height: int) -> bool:
    """Say whether a picture inside a document is large enough for text, and no larger than is read."""
    return width >= _LEAST[0] and height >= _LEAST[1] and width * height <= MOST_PIXELS


def size_of(content: bytes) -> tuple[int, int]:
    """Return the pixels of a picture across and down, from what its head says; raises DocumentUnreadable."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.size
    except Exception as error:
        raise DocumentUnreadable("damaged", f"the picture cannot be read: {type(error).__name__}") from error


def _assert_small(content: bytes) -> None:
    """Refuse a picture that would not fit into memory."""
    width, height = size_of(content)
    if width * height > MOST_PIXELS:
        raise DocumentUnreadable("bomb", f"it has {width} x {height} pixels; {MOST_PIXELS} are read")


@cache
def _reader() -> Any:
    """Open the models, once in a process."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})
