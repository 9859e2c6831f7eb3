"""Folders of agent specs, watched: a file whose content is new becomes a new version, a bad one leaves what runs in place."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agents import spec as specs
from agents.plain_yaml import Fault
from agents.spec_file import SUFFIX
from events.agent import AgentSpec
from events.ids import derived_id
from events.request import RegisterAgent
from smolit.client import Ask
from streams.change import spec_digest

Stamp = tuple[int, int]  # when the file was last written, in ns, and its size
Digests = Mapping[str, str]  # by agent: of the spec in force; empty: it has retired


class Changed(NamedTuple):
    """A file that is new or was written: the spec in it, or what is wrong; `first`: seen at the first look."""

    path: Path
    stamp: Stamp
    spec: AgentSpec | None
    faults: tuple[Fault, ...]
    first: bool


class Folders:
    """What lies in the folders, and what has changed since the look before."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._seen: dict[Path, Stamp] | None = None

    def look(self) -> list[Changed]:
        """Return what changed, by path; a file that is being replaced is seen at the next look."""
        now = dict(stamp for folder in self._folders for stamp in stamps(folder))
        before, self._seen = self._seen, now
        new = sorted(path for path, stamp in now.items() if before is None or before.get(path) != stamp)
        return [one for path in new if (one := _read(path, now[path], before is None))]


def stamps(folder: Path) -> list[tuple[Path, Stamp]]:
    """Return every spec in a folder with its stamp; a folder that is not there holds none."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            told = path.stat()
        except OSError:  # it went away, or is not for us to look at
            continue
        found.append((path, (told.st_mtime_ns, told.st_size)))
    return found


def _read(path: Path, stamp: Stamp, first: bool) -> Changed | None:
    try:
        read = specs.read(str(path), path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        return Changed(path, stamp, None, (Fault(str(path), 1, f"it cannot be read: {error.strerror}"),), first)
    return Changed(path, stamp, read.spec, read.faults, first)


def revisions(
    changed: Sequence[Changed], tenant: str, in_force: Digests, shipped: Path, known: Callable[[str], Collection[str]]
) -> list[Ask]:
    """Return the requests that make versions of what changed.

    What is in force already asks for nothing, and who has retired stays so. At the first look a file asks only if its content
    was never in force: what was put in force by hand since is not undone by a start, and what comes with smolit is registered
    by `smolit up`. `known` gives all digests that an agent ever had; it is asked seldom.
    """
    asks = []
    for one in changed:
        if one.spec is None:
            continue
        digest, current = spec_digest(one.spec), in_force.get(one.spec.id)
        if current in (digest, ""):
            continue
        if one.first and (one.path.parent == shipped if current is None else digest in known(one.spec.id)):
            continue
        name = derived_id("revise", tenant, one.spec.id, digest, *one.stamp)
        asks.append(Ask(RegisterAgent(spec=one.spec), name))
    return asks
