"""Files that go with a task: read from here, or named as what the blob store has."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec

from events.media import HEAD_BYTES, guessed
from events.request import GivenFile, SubmitTask
from smolit.errors import UsageInvalid

_LARGEST = 100_000_000  # bytes that are read at all: none of a request's size comes near


def given(paths: Sequence[Path], stored: Sequence[str]) -> tuple[GivenFile, ...]:
    """Return the files of a request; raises UsageInvalid."""
    return (*(_read(path) for path in paths), *(_stored(named) for named in stored))


def named(files: Sequence[GivenFile]) -> str:
    """Return what a task is called whose files say it all."""
    return ", ".join(file.name for file in files)


def check_size(request: SubmitTask, limit_bytes: int) -> None:
    """Refuse a request that intake would refuse for its size, and say what to do instead; raises UsageInvalid."""
    size = len(msgspec.json.encode(request)) if request.files else 0
    if size > limit_bytes:
        largest = max(request.files, key=lambda file: len(file.content or b"")).name
        raise UsageInvalid(
            f"the request has {size} bytes with its files, and {limit_bytes} are allowed; "
            f"store the file by `smolit blob put {largest}` and name it by `--stored {largest}=SHA256`"
        )


def content_of(path: Path) -> bytes:
    """Return what a file holds; raises UsageInvalid."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageInvalid(f"{path} is larger than {_LARGEST} bytes")
        return path.read_bytes()
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read: {error.strerror}") from error


def _read(path: Path) -> GivenFile:
    content = content_of(path)
    return GivenFile(path.name, guessed(path.name, content[:HEAD_BYTES]), content=content)


def _stored(text: str) -> GivenFile:
    """Return a file that the blob store has; what it is follows from its name, and intake looks at the bytes."""
    name, equals, sha256 = text.rpartition("=")
    if not (equals and name and len(sha256) == 64):
        raise UsageInvalid(f"--stored {text!r}: write NAME=SHA256, with the digest that `smolit blob put` printed")
    return GivenFile(PurePosixPath(name).name, guessed(name, None), sha256=sha256)
