"""What a process leaves in `data_dir/run` while it lives: who it is and where it answers, so that others find it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil
from msgspec import Struct

from smolit.stack import process

FOLDER = "run"
T = TypeVar("T")
_CLOCK_TOLERANCE_S = 0.1  # of two readings of one process's start time


class ProcessRecord(Struct, frozen=True):
    """One process: its identity, and its system process, which the start time tells from a later one of the same number."""

    name: str
    instance: str
    pid: int
    started_at: float
    port: int = 0

    @property
    def identity(self) -> str:
        """Return what no two live processes share."""
        return identity(self.name, self.instance)


def identity(name: str, instance: str) -> str:
    """Return the name of one process among all of one data folder."""
    return f"{name}-{instance}"


def path_of(data_dir: Path, name: str, instance: str) -> Path:
    """Return where the record of a process lies."""
    return data_dir / FOLDER / f"{identity(name, instance)}.json"


def ours(name: str, instance: str, port: int) -> ProcessRecord:
    """Return the record of this very process."""
    return ProcessRecord(name, instance, os.getpid(), psutil.Process().create_time(), port)


def write(data_dir: Path, record: ProcessRecord) -> None:
    """Leave the record, whole or not at all."""
    write_json(path_of(data_dir, record.name, record.instance), record)


def remove(data_dir: Path, record: ProcessRecord) -> None:
    """Take the record away, if it is still this one."""
    if read(data_dir, record.name, record.instance) == record:
        path_of(data_dir, record.name, record.instance).unlink(missing_ok=True)


def read(data_dir: Path, name: str, instance: str) -> ProcessRecord | None:
    """Return the record of a process, dead or alive, if there is one."""
    return read_json(path_of(data_dir, name, instance), ProcessRecord)


def read_all(data_dir: Path) -> list[ProcessRecord]:
    """Return every record there is, sorted by identity."""
    found = [read_json(path, ProcessRecord) for path in sorted((data_dir / FOLDER).glob("*-*.json"))]
    return [record for record in found if record is not None]


def live(record: ProcessRecord) -> psutil.Process | None:
    """Return the process of a record if it still runs, and is the one that was meant."""
    try:
        found = psutil.Process(record.pid)
        same = abs(found.create_time() - record.started_at) < _CLOCK_TOLERANCE_S
    except psutil.NoSuchProcess:
        return None
    return found if same and process.is_alive(found) else None


def write_json(path: Path, content: Struct) -> None:
    """Replace a file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(content) + b"\n")
    os.replace(draft, path)


def read_json(path: Path, kind: type[T]) -> T | None:
    """Return what a file holds; nothing if it is not there, or is none of ours."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=kind)
    return None
