"""Agent specs: YAML files, checked as a whole; every fault is told with its file and line, all at once.

Only plain YAML is read: no tags, no anchors, no two keys of one name. So a file says what it seems to say.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from msgspec import Struct
from yaml.constructor import SafeConstructor

from agents.catalog import pipeline_of
from agents.errors import BadSpecs, PipelineUnknown
from events.agent import AgentSpec

SUFFIX = ".yaml"
MOST_BYTES = 100_000
_MISSING = "is missing"
_TEXT = "tag:yaml.org,2002:str"
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null"))
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


class Fault(NamedTuple):
    """One thing that is wrong with a spec, and where."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Say it the way compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


class Read(NamedTuple):
    """What a file holds: a spec, or faults; and the line that its id is on."""

    spec: AgentSpec | None
    faults: tuple[Fault, ...]
    id_line: int = 1


def load(folder: Path) -> tuple[AgentSpec, ...]:
    """Return every spec in a folder, by file name.

    Raises:
        BadSpecs: with every fault of every file, one a line.
    """
    specs, faults = lint(folder)
    if faults:
        raise BadSpecs("\n".join(str(fault) for fault in faults))
    return specs


def lint(folder: Path) -> tuple[tuple[AgentSpec, ...], tuple[Fault, ...]]:
    """Return the good specs in a folder, and every fault of the others."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        return (), (Fault(str(folder), 1, f"there is no agent spec (*{SUFFIX})"),)
    reads = {file.name: read(file.name, file.read_bytes()) for file in files}
    faults = [fault for one in reads.values() for fault in one.faults]
    return tuple(one.spec for one in reads.values() if one.spec), (*faults, *_twins(reads))


def read(name: str, content: bytes) -> Read:
    """Return the spec in a file's content, or everything that is wrong with it."""
    try:
        root = _parse(name, content)
        faults = tuple(_check(name, root))
        if faults:
            return Read(None, faults)
        return Read(msgspec.convert(_plain(root), AgentSpec), (), _line(_child(root, "id")))
    except _Unreadable as error:
        return Read(None, error.faults)


class _Unreadable(Exception):
    """The file is no plain YAML, so its fields cannot be looked at."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def _parse(name: str, content: bytes) -> yaml.MappingNode:
    """Return the file's one mapping."""
    if len(content) > MOST_BYTES:
        raise _Unreadable([Fault(name, 1, f"a spec has at most {MOST_BYTES} bytes")])
    try:
        text = content.decode("utf-8")
        fancy = [Fault(name, line, what) for line, what in _fancy(text)]
        root = None if fancy else yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError as error:
        raise _Unreadable([Fault(name, 1, "it is nested too deeply")]) from error
    except UnicodeDecodeError as error:
        raise _Unreadable([Fault(name, content[: error.start].count(b"\n") + 1, "this is not UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable([Fault(name, mark.line + 1 if mark else 1, f"this is not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise _Unreadable([Fault(name, 1, f"this is not YAML: {error}")]) from error
    if fancy:
        raise _Unreadable(fancy)
    if not isinstance(root, yaml.MappingNode):
        raise _Unreadable([Fault(name, 1, "a spec is a mapping of fields")])
    return root


def _fancy(text: str) -> Iterator[tuple[int, str]]:
    """Yield every tag, anchor and alias."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.TagToken | yaml.AnchorToken | yaml.AliasToken):
            yield token.start_mark.line + 1, "tags, anchors and aliases are not used in specs"


def _check(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield everything that is wrong with a spec."""
    keys = list(_strange_keys(name, root))
    yield from keys
    if keys:
        return
    found = [*_strange_values(name, root), *_misfits(name, root, AgentSpec, ""), *_empty(name, root)]
    found += _wrong_settings(name, root)
    said: set[int] = set()
    for fault in sorted(found, key=lambda fault: fault.line):
        if fault.line not in said or fault.what.endswith(_MISSING):
            yield fault  # one a line: what follows from it would only repeat it
        said.add(fault.line)


def _strange_keys(name: str, node: yaml.Node) -> Iterator[Fault]:
    """Yield keys that are no plain names, or are there twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag != _TEXT:
                yield Fault(name, _line(key), "a field's name must be plain text")
            elif key.value in seen:
                yield Fault(name, _line(key), f"{key.value!r} is there twice")
            else:
                seen.add(key.value)
            yield from _strange_keys(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _strange_keys(name, item)


def _strange_values(name: str, node: yaml.Node) -> Iterator[Fault]:
    """Yield values that YAML reads as something other than a text, a number or a yes or no."""
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _strange_values(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _strange_values(name, item)
    elif node.tag not in _PLAIN:
        yield Fault(name, _line(node), f"{node.value!r} is read as {node.tag.rpartition(':')[2]}; put it in quotes")


def _misfits(name: str, node: yaml.MappingNode, cls: type[Struct], prefix: str) -> Iterator[Fault]:
    """Yield fields that are unknown, missing, or do not fit their type."""
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    for key, value in node.value:
        if key.value not in fields:
            near = difflib.get_close_matches(key.value, fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(fields) or 'none'}"
            yield Fault(name, _line(key), f"{prefix}{key.value} is not a field{hint}")
        else:
            yield from _misfit(name, value, fields[key.value].type, prefix + key.value)
    given = {key.value for key, _ in node.value}
    for missing in (field.name for field in fields.values() if field.required and field.name not in given):
        yield Fault(name, _line(node), f"{prefix}{missing} {_MISSING}")


def _misfit(name: str, node: yaml.Node, kind: Any, field: str) -> Iterator[Fault]:
    """Yield how a value does not fit its type, on the line where it does not."""
    try:
        msgspec.convert(_plain(node), kind)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        what, path = (found["what"], found["path"] or "") if found else (str(error), "")
        yield Fault(name, _line(_at(node, path)), f"{field}{path}: {what}")
    except ValueError as error:  # a number of thousands of digits
        yield Fault(name, _line(node), f"{field}: {error}")


def _empty(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield descriptions and skills that say nothing: agents are matched by them."""
    fields = _fields(root)
    described = fields.get("description")
    if isinstance(described, yaml.ScalarNode) and not described.value.strip():
        yield Fault(name, _line(described), "description: say in a line what the agent is good for")
    skills = fields.get("skills")
    if isinstance(skills, yaml.SequenceNode):
        names = [item.value for item in skills.value]
        if not names or len(set(map(str, names))) != len(names):
            yield Fault(name, _line(skills), "skills: name at least one, and none twice")


def _wrong_settings(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield what the pipeline does not take."""
    fields = _fields(root)
    wanted = fields.get("pipeline")
    if not isinstance(wanted, yaml.ScalarNode):
        return
    try:
        pipeline = pipeline_of(wanted.value)
    except PipelineUnknown as error:
        yield Fault(name, _line(wanted), f"pipeline: {error}")
        return
    settings = fields.get("settings", yaml.MappingNode("", [], root.start_mark, root.end_mark))
    if isinstance(settings, yaml.MappingNode):
        yield from _misfits(name, settings, pipeline.Settings, "settings.")


def _twins(reads: Mapping[str, Read]) -> Iterator[Fault]:
    """Yield ids that two files claim."""
    first: dict[str, str] = {}
    for name, one in reads.items():
        if one.spec and first.setdefault(one.spec.id, name) != name:
            yield Fault(name, one.id_line, f"id: {one.spec.id!r} is also in {first[one.spec.id]}")


def _plain(node: yaml.Node) -> Any:
    """Return a node's content; tags were refused before."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return SafeConstructor().construct_object(node)


def _at(node: yaml.Node, path: str) -> yaml.Node:
    """Return the node at a path such as `[0].url`, or the nearest one above it."""
    for key, index in _STEP.findall(path):
        if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
        elif isinstance(node, yaml.MappingNode) and key in _fields(node):
            node = _fields(node)[key]
    return node


def _child(node: yaml.MappingNode, key: str) -> yaml.Node:
    """Return the value of a key that is there."""
    return _fields(node)[key]


def _fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Return a mapping's values by key."""
    return {key.value: value for key, value in node.value}


def _line(node: yaml.Node) -> int:
    """Return the line that a node starts on, from 1."""
    return int(node.start_mark.line) + 1
