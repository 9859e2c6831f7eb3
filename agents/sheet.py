"""CSV files that came with a task, by the names that tables have in SQL."""

import re
from pathlib import PurePath

from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.port import Blobs

_SUFFIXES = (".csv", ".tsv", ".txt")
_TYPES = ("text/csv", "text/tab-separated-values", "text/plain")
INLINE = "data"  # the table of `input.csv`


async def sheets(work: Work, blobs: Blobs) -> dict[str, bytes]:
    """Return the bytes of each CSV file of a task, and of `input.csv`.

    Raises:
        AgentFailed: `no_file`, `file_missing`, or `bad_input`.
    """
    found: dict[str, bytes] = {}
    given = work.input.get("csv")
    if given is not None and not isinstance(given, str):
        raise AgentFailed("bad_input", "input.csv must be the text of a CSV file")
    if given:
        found[INLINE] = given.encode("utf-8", "replace")
    for file in work.files:
        if file.media_type in _TYPES or file.name.lower().endswith(_SUFFIXES):
            found[table_name(file.name, frozenset(found))] = await blobs.get(file.sha256)
    if not found:
        raise AgentFailed("no_file", "a CSV file must come with the task, or its text in input.csv")
    return found


def table_name(file: str, taken: frozenset[str]) -> str:
    """Return a name for a file's table: its own, as a plain word, with a number where that is taken."""
    word = re.sub(r"\W+", "_", PurePath(file.replace("\\", "/")).stem.lower()).strip("_")[:40]
    name = word if word and not word[0].isdigit() else f"table_{word}".rstrip("_")
    while name in taken:
        name += "_2"
    return name
