"""Plain YAML: mappings, lists, texts and numbers, each with the line it is on; the rest of YAML is refused.

No tags, no anchors, no two keys of one name: a file says what it seems to say.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml
from yaml.constructor import SafeConstructor

MOST_BYTES = 100_000
MOST_DEPTH = 20
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_TEXT = "tag:yaml.org,2002:str"
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null"))
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


class Fault(NamedTuple):
    """One thing that is wrong with a spec, and where."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Say it the way compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


class Unreadable(Exception):
    """The file is no plain YAML, so its fields cannot be looked at."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def parse(name: str, content: bytes) -> yaml.MappingNode:
    """Return the file's one mapping."""
    if len(content) > MOST_BYTES:
        raise Unreadable([Fault(name, 1, f"a spec has at most {MOST_BYTES} bytes")])
    try:
        text = content.decode("utf-8")
        root = _compose(name, text)
    except UnicodeDecodeError as error:
        raise Unreadable([Fault(name, content[: error.start].count(b"\n") + 1, "this is not UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable([Fault(name, mark.line + 1 if mark else 1, f"this is not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise Unreadable([Fault(name, 1, f"this is not YAML: {error}")]) from error
    if not isinstance(root, yaml.MappingNode):
        raise Unreadable([Fault(name, 1, "a spec is a mapping of fields")])
    return root


def _compose(name: str, text: str) -> yaml.Node | None:
    """Return the file's tree, if it holds nothing but what is plain."""
    fancy = [Fault(name, where, what) for where, what in _fancy(text)]
    if fancy:
        raise Unreadable(fancy)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _fancy(text: str) -> Iterator[tuple[int, str]]:
    """Yield every tag, anchor and alias, and where it is nested too deeply."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > MOST_DEPTH:
            yield token.start_mark.line + 1, f"it is nested more than {MOST_DEPTH} deep"
            return
        if isinstance(token, yaml.TagToken | yaml.AnchorToken | yaml.AliasToken):
            yield token.start_mark.line + 1, "tags, anchors and aliases are not used in specs"


def strange_keys(name: str, node: yaml.Node) -> Iterator[Fault]:
    """Yield keys that are no plain names, or are there twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag != _TEXT:
                yield Fault(name, line(key), "a field's name must be plain text")
            elif key.value in seen:
                yield Fault(name, line(key), f"{key.value!r} is there twice")
            else:
                seen.add(key.value)
            yield from strange_keys(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from strange_keys(name, item)


def strange_values(name: str, node: yaml.Node) -> Iterator[Fault]:
    """Yield values that YAML reads as something other than a text, a number or a yes or no."""
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from strange_values(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from strange_values(name, item)
    elif node.tag not in _PLAIN:
        yield Fault(name, line(node), f"{node.value!r} is read as {node.tag.rpartition(':')[2]}; put it in quotes")


def plain(node: yaml.Node) -> Any:
    """Return a node's content; tags were refused before."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return SafeConstructor().construct_object(node)


def at(node: yaml.Node, path: str) -> yaml.Node:
    """Return the node at a path such as `[0].url`, or the nearest one above it."""
    for key, index in _STEP.findall(path):
        if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
        elif isinstance(node, yaml.MappingNode) and key in values_of(node):
            node = values_of(node)[key]
    return node


def values_of(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Return a mapping's values by key."""
    return {key.value: value for key, value in node.value}


def line(node: yaml.Node) -> int:
    """Return the line that a node starts on, from 1."""
    return int(node.start_mark.line) + 1
