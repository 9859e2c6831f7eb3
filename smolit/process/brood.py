"""What a nursery is told and tells: whom it raises, orders to start a process, and reports of what became of it."""

import signal
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct


class Brood(NamedTuple):
    """What all children of one nursery have in common; declared in a module, and known by `module:name`.

    `main` gets a child's arguments and returns its exit code. `load` is called once, before any child is there; it may leave
    no thread, no event loop and nothing open. A child does not die of the signals `spared` while it has no handler for them yet.
    """

    main: Callable[[Sequence[str]], int]
    load: Callable[[], None]
    spared: Sequence[signal.Signals] = ()


class Order(Struct, frozen=True):
    """Start a process: its arguments, what its environment has beside ours, and the file that its output is added to.

    Without a file, output goes where ours goes. `fresh`: not if a file that we loaded has been changed since.
    """

    slot: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = {}
    log: str | None = None
    fresh: bool = False


class Report(Struct, frozen=True):
    """What happened to a process; `status` is its exit code, or minus the signal that ended it.

    `stale`: it was not started, since what we loaded has been changed. `lost`: the nursery has ended, and so does the process.
    """

    slot: str
    pid: int
    what: Literal["started", "ended", "stale", "lost"]
    status: int = 0
