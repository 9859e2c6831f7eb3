"""What the local stack remembers between two commands: its identity, ports, process ids and folders (`stack.json`)."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

from smolit.errors import StackBusy
from smolit.folder import claim

Name = Literal["kafka", "postgres"]


class ServerRecord(msgspec.Struct, frozen=True):
    """One server as it was last started."""

    pid: int = 0
    ports: tuple[int, ...] = ()


class StackRecord(msgspec.Struct, frozen=True):
    """One local stack; its identity is in the command line of both servers."""

    stack_id: str
    kafka: ServerRecord = ServerRecord()
    postgres: ServerRecord = ServerRecord()

    def server(self, name: Name) -> ServerRecord:
        """Return what is known of one server."""
        return self.kafka if name == "kafka" else self.postgres


def with_server(record: StackRecord, name: Name, **known: object) -> StackRecord:
    """Return the record with what is newly known of one server."""
    return msgspec.structs.replace(record, **{name: msgspec.structs.replace(record.server(name), **known)})


def read_record(folder: Path) -> StackRecord | None:
    """Return what the folder remembers; nothing before the first start."""
    path = folder / "stack.json"
    return msgspec.json.decode(path.read_bytes(), type=StackRecord) if path.exists() else None


def write_record(folder: Path, record: StackRecord) -> None:
    """Replace the record in one step, so that a reader never sees half of it."""
    draft = folder / "stack.json.new"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    os.replace(draft, folder / "stack.json")


def new_record() -> StackRecord:
    """Return the record of a stack that has never been started."""
    return StackRecord(stack_id=uuid.uuid4().hex)


@contextmanager
def locked(folder: Path, patience_s: float) -> Iterator[None]:
    """Hold the stack alone; the lock goes with the process, however it ends. Raises StackBusy after the patience."""
    claim(folder)
    lock = FileLock(folder / "stack.lock", timeout=patience_s)
    try:
        with lock:
            claim(folder)  # whoever held the lock may have wiped the folder
            yield
    except Timeout:
        raise StackBusy(f"Another smolit has been starting or stopping the stack in {folder} for too long.") from None
