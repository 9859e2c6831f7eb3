"""Files of specs on the command line: one way to read them, and to tell what is wrong with them, whatever they say."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from smolit.cli import out
from smolit.errors import CheckFailed, UsageInvalid

if TYPE_CHECKING:  # YAML and every pipeline: only commands that read specs need them
    from agents.plain_yaml import Fault
    from agents.spec_file import Sort

T = TypeVar("T", bound=Struct)


def lint(paths: Sequence[Path], sort: "Sort[T]") -> None:
    """Say that all specs in files and folders are sound; raises CheckFailed, and UsageInvalid for a path that is not there."""
    found, faults = _read(paths, sort)
    tell(faults, sort.called, len(found))


def tell(faults: Sequence["Fault"], called: str, sound: int) -> None:
    """Print every fault, or how many specs are sound; raises CheckFailed if there is a fault."""
    for fault in faults:
        out.line(str(fault))
    if faults:
        raise CheckFailed(f"{len(faults)} fault(s) in {called}s")
    out.say(f"{sound} {called}(s) are sound")


def sound(paths: Sequence[Path], sort: "Sort[T]") -> list[T]:
    """Return the specs in files and folders; raises UsageInvalid with every fault, or for a path that is not there."""
    found, faults = _read(paths, sort)
    if faults:
        raise UsageInvalid("\n".join(map(str, faults)))
    return found


def only(path: Path, sort: "Sort[T]") -> T:
    """Return the spec in a file; raises CheckFailed with every fault, and UsageInvalid if there is no such file."""
    if not path.is_file():
        raise UsageInvalid(f"{path} is no file")
    read = sort.read(path.name, _content(path))
    if read.spec is None:
        raise CheckFailed("\n".join(map(str, read.faults)))
    return read.spec


def _read(paths: Sequence[Path], sort: "Sort[T]") -> "tuple[list[T], list[Fault]]":
    """Return the sound specs in files and folders, and every fault of the others; raises UsageInvalid."""
    found: list[T] = []
    faults: list[Fault] = []
    for path in paths:
        if path.is_dir():
            good, bad = sort.lint(path)
        elif path.is_file():
            one = sort.read(path.name, _content(path))
            good, bad = ((one.spec,) if one.spec else ()), one.faults
        else:
            raise UsageInvalid(f"{path} is neither a file nor a folder")
        found += good
        faults += bad
    return found, faults


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read: {error.strerror}") from error
