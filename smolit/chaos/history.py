"""The clients' history: what became of each request, as its sender saw it, written down durably as it happened."""

import os
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Outcome = Literal["ok", "fail", "info"]
Expects = Literal["facts", "refusal"]


class Entry(Struct, frozen=True):
    """One try of one request. `ok`: acknowledged; `fail`: surely not in the log; `info`: nobody knows.

    `key_seq` counts the requests of one key; `facts` are the ids of the facts that it must become.
    """

    request_id: str
    type: str
    key: str
    key_seq: int
    sha256: str
    outcome: Outcome
    expects: Expects = "facts"
    facts: tuple[str, ...] = ()
    task_id: str | None = None


class History:
    """Adds entries to a file, each one durable before anybody acts on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Write one entry down for good."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)

    @property
    def acknowledged(self) -> list[Entry]:
        """Return every request that was acknowledged, once."""
        found: dict[tuple[str, str], Entry] = {}
        for entry in self.entries:
            if entry.outcome == "ok":
                found.setdefault((entry.request_id, entry.sha256), entry)
        return list(found.values())
