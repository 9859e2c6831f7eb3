"""A file of tasks: one JSON object a line."""

from pathlib import Path

import msgspec

from events.request import SubmitTask
from smolit.client import Ask
from smolit.errors import UsageInvalid


class Line(SubmitTask, frozen=True, kw_only=True):
    """One line of a batch: the fields of a submission, and a request id if it must have one."""

    request_id: str | None = None


def batch(path: Path) -> list[Ask]:
    """Return the requests in a file of JSON lines; raises UsageInvalid, which names the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read: {error.strerror}") from error
    return [_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _line(path: Path, number: int, line: bytes) -> Ask:
    try:
        read = msgspec.json.decode(line, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageInvalid(f"{path}, line {number}: {error}") from error
    fields = {name: getattr(read, name) for name in SubmitTask.__struct_fields__}
    return Ask(SubmitTask(**fields), read.request_id)
