"""Which documents are read, by media type and by the ending of a name."""

from pathlib import PurePath

TEXT, MARKDOWN, HTML, CSV, PDF = "text/plain", "text/markdown", "text/html", "text/csv", "application/pdf"
_OPEN = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_OPEN}.wordprocessingml.document"
XLSX = f"{_OPEN}.spreadsheetml.sheet"
IMAGES = ("image/png", "image/jpeg", "image/tiff", "image/bmp", "image/webp")
KINDS = (TEXT, MARKDOWN, HTML, CSV, PDF, DOCX, XLSX, *IMAGES)
ENDINGS = {
    ".txt": TEXT,
    ".text": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".csv": CSV,
    ".pdf": PDF,
    ".docx": DOCX,
    ".xlsx": XLSX,
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
}


def kind_of(name: str) -> str | None:
    """Return the media type that a name's ending stands for, if it is one that is read."""
    return ENDINGS.get(PurePath(name).suffix.lower())
