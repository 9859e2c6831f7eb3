"""Files and folders that are on the disk once they were written, whatever happens to the machine then."""

import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone may read; raises FileExistsError."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
