"""The file that a bench writes its figures to: looked at before anything is measured, so that nothing is measured in vain."""

from pathlib import Path

import msgspec
from msgspec import Struct

from smolit.errors import UsageInvalid


def require_folder(file: Path | None) -> None:
    """Refuse a file that could not be written at the end; raises UsageInvalid."""
    if file is not None and not file.parent.is_dir():
        raise UsageInvalid(f"there is no folder {file.parent} to write {file.name} to")
    if file is not None and file.is_dir():
        raise UsageInvalid(f"{file} is a folder; --json wants a file")


def write(file: Path | None, figures: Struct) -> None:
    """Write figures as JSON, if a file was named."""
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
