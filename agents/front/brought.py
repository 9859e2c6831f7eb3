"""What comes with a turn in files: what a text file says, and the kind of task that other files make of a turn. Pure."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any

_TABLES = ("text/csv", "text/tab-separated-values")
_TEXTS = ("text/plain", "text/markdown")
_READ = "ocr"  # the kind of those who read scans
_SERIES = "forecast"  # reads tables as well


def text_of(files: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what the one text file says that came along; None: there is none, or it is not alone, or no text."""
    if len(files) != 1 or files[0].get("media_type") not in _TEXTS:
        return None
    try:
        return base64.b64decode(str(files[0].get("content") or ""), validate=True).decode("utf-8").strip() or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def kind_of(media: Collection[str], seen: str | None, kinds: Collection[str], splits: str | None) -> str | None:
    """Return the kind of task that files make of a turn which shows `seen`; None: what it shows holds.

    `kinds`: those that somebody can do; `splits`: the kind of those who split tasks, None where nobody does.
    """
    if any(one in _TABLES for one in media) and seen != _SERIES and "table" in kinds:
        return "table"
    if seen not in (None, _READ) and any(one == "application/pdf" or one.startswith("image/") for one in media):
        return splits  # it is read first, and then done
    return None
