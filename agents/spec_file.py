"""Files that each say one thing as plain YAML, checked as a whole; every fault is told with its file and line, all at once.

What there is to look at is a `Sort`: agents are `agents.spec`, models `agents.card_file`. A further sort is one more of these.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_args, get_origin

import msgspec
import yaml
from msgspec import Struct

from agents.errors import BadSpecs
from agents.plain_yaml import Fault, Unreadable, at, line, parse, plain, strange_keys, strange_values, values_of

SUFFIX = ".yaml"
T = TypeVar("T", bound=Struct)
Looks = Callable[[str, yaml.MappingNode], Iterator[Fault]]
_MISSING = "is missing"
_ANY_KEY = "[...]"  # how msgspec calls an entry of a mapping, whichever it is
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)


class Read(NamedTuple, Generic[T]):
    """What a file holds: a spec, or faults; and the line that its name is on."""

    spec: T | None
    faults: tuple[Fault, ...]
    line: int = 1


class Sort(NamedTuple, Generic[T]):
    """One sort of spec: what people call it, its class, the field that no two may share, and what else is wrong with one."""

    called: str
    made: type[T]
    named_by: str
    more_faults: Looks

    def load(self, folder: Path) -> tuple[T, ...]:
        """Return every spec in a folder, by file name.

        Raises:
            BadSpecs: with every fault of every file, one a line.
        """
        specs, faults = self.lint(folder)
        if faults:
            raise BadSpecs("\n".join(str(fault) for fault in faults))
        return specs

    def lint(self, folder: Path) -> tuple[tuple[T, ...], tuple[Fault, ...]]:
        """Return the good specs in a folder, and every fault of the others."""
        files = sorted(folder.glob(f"*{SUFFIX}"))
        if not files:
            return (), (Fault(str(folder), 1, f"there is no {self.called} (*{SUFFIX})"),)
        reads = {file.name: self.read(file.name, file.read_bytes()) for file in files}
        faults = [fault for one in reads.values() for fault in one.faults]
        return tuple(one.spec for one in reads.values() if one.spec), (*faults, *self._twins(reads))

    def read(self, name: str, content: bytes) -> Read[T]:
        """Return the spec in a file's content, or everything that is wrong with it."""
        try:
            root = parse(name, content)
            faults = tuple(self._faults(name, root))
            if faults:
                return Read(None, faults)
            return Read(msgspec.convert(plain(root), self.made), (), line(values_of(root)[self.named_by]))
        except Unreadable as error:
            return Read(None, error.faults)

    def _faults(self, name: str, root: yaml.MappingNode) -> Iterator[Fault]:
        """Yield everything that is wrong with a spec; the rest is looked at once its keys are sound."""
        if keys := list(strange_keys(name, root)):
            yield from keys
            return
        found = [*strange_values(name, root), *misfits(name, root, self.made, ""), *self.more_faults(name, root)]
        yield from one_a_line(found)

    def _twins(self, reads: Mapping[str, Read[T]]) -> Iterator[Fault]:
        """Yield names that two files claim."""
        first: dict[str, str] = {}
        for file, one in reads.items():
            named = getattr(one.spec, self.named_by, None)
            if named is not None and first.setdefault(named, file) != file:
                yield Fault(file, one.line, f"{self.named_by}: {named!r} is also in {first[named]}")


def one_a_line(found: Sequence[Fault]) -> Iterator[Fault]:
    """Yield faults by line, the first of each: what follows from it would only repeat it. All that is missing is told."""
    said: set[int] = set()
    for fault in sorted(found, key=lambda fault: fault.line):
        if fault.line not in said or fault.what.endswith(_MISSING):
            yield fault
        said.add(fault.line)


def misfits(name: str, node: yaml.MappingNode, cls: type[Struct], prefix: str) -> Iterator[Fault]:
    """Yield fields that are unknown, missing, or do not fit their type."""
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    for key, value in node.value:
        if key.value not in fields:
            near = difflib.get_close_matches(key.value, fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(fields) or 'none'}"
            yield Fault(name, line(key), f"{prefix}{key.value} is not a field{hint}")
        else:
            yield from _misfit(name, value, fields[key.value].type, prefix + key.value)
    given = {key.value for key, _ in node.value}
    for missing in (field.name for field in fields.values() if field.required and field.name not in given):
        yield Fault(name, line(node), f"{prefix}{missing} {_MISSING}")


def _misfit(name: str, node: yaml.Node, kind: Any, field: str) -> Iterator[Fault]:
    """Yield how a value does not fit its type, on the line where it does not."""
    try:
        msgspec.convert(plain(node), kind)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        what, path = (found["what"], found["path"] or "") if found else (str(error), "")
        if path.startswith(_ANY_KEY) and isinstance(node, yaml.MappingNode):
            yield from _misfit_entry(name, node, kind, field)
        else:
            yield Fault(name, line(at(node, path)), f"{field}{path}: {what}")
    except ValueError as error:  # a number of thousands of digits
        yield Fault(name, line(node), f"{field}: {error}")


def _misfit_entry(name: str, node: yaml.MappingNode, kind: Any, field: str) -> Iterator[Fault]:
    """Yield what is wrong with each entry of a mapping, by its key."""
    mapping = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    values = get_args(mapping)[1]
    for key, value in values_of(node).items():
        yield from _misfit(name, value, values, f"{field}.{key}")
