"""The text of a picture in a document: the rows that the recognizer of `agents/reading` finds."""

from typing import Any

from agents.document.errors import DocumentUnreadable

MOST_PIXELS = 60_000_000
MOST_READ = 30  # pictures of one document: half a second to some seconds each
_LEAST = (80, 24)  # pixels across and down of a picture with a word in it


def text_of_picture(picture: Any) -> str:
    """Return the rows in a picture (its bytes, or Pillow's image), top to bottom; empty where there are none.

    Raises:
        DocumentUnreadable: it cannot be opened, has too many pixels, or nobody is here to read it.
    """
    from agents.errors import AgentFailed  # what reads brings numpy and models: only for whoever has a picture
    from agents.reading.engine import Engine
    from agents.reading.file import upright
    from agents.reading.page import rows_of

    try:
        spots = Engine.load().read(upright(_opened(picture) if isinstance(picture, bytes) else picture))
    except (DocumentUnreadable, MemoryError):
        raise
    except AgentFailed as failure:
        raise DocumentUnreadable(failure.reason, failure.detail) from failure
    except Exception as error:
        raise DocumentUnreadable("damaged", f"the picture cannot be read: {type(error).__name__}: {error}"[:200]) from error
    return "\n".join(line.text for line in rows_of(spots))


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


def _opened(content: bytes) -> Any:
    """Return the picture in bytes, unless it would not fit into memory."""
    import io

    from PIL import Image

    width, height = size_of(content)
    if width * height > MOST_PIXELS:
        raise DocumentUnreadable("bomb", f"it has {width} x {height} pixels; {MOST_PIXELS} are read")
    return Image.open(io.BytesIO(content))
