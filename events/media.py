"""Kinds of files: what one is by its first bytes or by its name, and whether it can be what somebody says that it is. Pure.

Source of the signatures: https://mimesniff.spec.whatwg.org/ and the formats' own specifications.
"""

from pathlib import PurePosixPath

HEAD_BYTES = 4096  # of a file that are looked at
UNKNOWN = "application/octet-stream"
PDF, PNG, JPEG, TIFF = "application/pdf", "image/png", "image/jpeg", "image/tiff"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ZIP = "application/zip"
_ZIPPED = frozenset({_ZIP, _WORD, _SHEET})

# What a file of the kind begins with; WebP has its mark behind a length.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", _ZIP),
)
_SIGNED = frozenset({kind for _, kind in _SIGNATURES} | {"image/webp"} | _ZIPPED)
_TEXTS = frozenset({"application/json", "application/xml", "application/x-yaml"})
_SUFFIXES: dict[str, str] = {
    **{".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".gif": "image/gif", ".bmp": "image/bmp", ".tif": TIFF, ".tiff": TIFF},
    **{".webp": "image/webp", ".pdf": PDF, ".docx": _WORD, ".xlsx": _SHEET, ".zip": _ZIP},
    **{".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".html": "text/html", ".htm": "text/html"},
    **{".json": "application/json", ".xml": "application/xml", ".yaml": "application/x-yaml", ".yml": "application/x-yaml"},
}


def sniffed(head: bytes) -> str | None:
    """Return what a file is by its first bytes; None: they do not say."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def guessed(name: str, head: bytes | None) -> str:
    """Return what a file most likely is: by its name where its first bytes (None: not known) allow that, else by those."""
    named = _SUFFIXES.get(PurePosixPath(name).suffix.lower())
    if named is not None and (head is None or misfit(named, head) is None):
        return named
    return sniffed(head or b"") or UNKNOWN


def misfit(media_type: str, head: bytes) -> str | None:
    """Return why a file cannot be what it is said to be, as a sentence without a subject; None: it can.

    Kinds without a signature are believed, unless the bytes are plainly those of another one.
    """
    if media_type == UNKNOWN:
        return None
    found = sniffed(head)
    if media_type in _SIGNED:
        wanted = _ZIP if media_type in _ZIPPED else media_type
        return None if found == wanted else f"is no {media_type}: it begins like {found or 'no kind that is known'}"
    if found is not None and found != "image/bmp":  # two letters begin many a text
        return f"is no {media_type}: it begins like {found}"
    if is_text(media_type) and b"\0" in head and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return f"is no {media_type}: it holds zero bytes"
    return None


def is_text(media_type: str) -> bool:
    """Return whether files of this kind are read as text."""
    return media_type.startswith("text/") or media_type in _TEXTS
