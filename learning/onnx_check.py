"""What a graph must not hold before anybody opens it: files beside it, operators of others, its own functions, no numbers.

The wire format is walked by hand, since what serves has no library that parses graphs: fields are numbered as in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, and whatever is not looked at is skipped.
"""

from collections.abc import Iterator

import numpy as np

from learning.errors import ArtefactUnusable

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_OURS = {b"", b"ai.onnx"}  # the standard operators, by both their names
_DEEPEST = 8  # graphs in graphs; ours have one
_SINGLE, _DOUBLE = "<f4", "<f8"
_FLOATS = {1: _SINGLE, 10: "<f2", 11: _DOUBLE}  # kinds of numbers that may be none, by how they lie in a tensor's raw bytes
_WHOLE = {2, 3, 4, 5, 6, 7, 9, 12, 13}

Field = tuple[int, bytes | int]


def check_graph(model: bytes) -> None:
    """Raise ArtefactUnusable unless an ONNX model is self-contained, of standard operators alone, and of finite numbers."""
    for number, content in _fields(model):
        match number, content:
            case 8, bytes():
                _check_domain(dict(_fields(content)).get(1, b""))
            case 7, bytes():
                _check_graph(content, 0)
            case ((20 | 25), _):
                raise ArtefactUnusable("the graph brings functions or training steps of its own")


def _check_graph(graph: bytes, depth: int) -> None:
    if depth > _DEEPEST:
        raise ArtefactUnusable("the graph holds graphs within graphs")
    for number, content in _fields(graph):
        match number, content:
            case 1, bytes():
                _check_node(content, depth)
            case 5, bytes():
                _check_tensor(content)
            case 15, _:
                raise ArtefactUnusable("the graph holds a sparse tensor")


def _check_node(node: bytes, depth: int) -> None:
    for number, content in _fields(node):
        match number, content:
            case 7, bytes():
                _check_domain(content)
            case 5, bytes():
                _check_attribute(content, depth)


def _check_attribute(attribute: bytes, depth: int) -> None:
    for number, content in _fields(attribute):
        match number, content:
            case ((5 | 10), bytes()):
                _check_tensor(content)
            case ((6 | 11), bytes()):
                _check_graph(content, depth + 1)
            case ((2 | 7), bytes()):
                _check_finite(content, _SINGLE)
            case ((22 | 23), _):
                raise ArtefactUnusable("the graph holds a sparse tensor")


def _check_tensor(tensor: bytes) -> None:
    found = list(_fields(tensor))
    kind = dict(found).get(2, 0)  # of several the last counts, as wherever protobuf is read
    if kind not in _FLOATS and kind not in _WHOLE:
        raise ArtefactUnusable(f"a tensor of the graph holds numbers of the kind {kind!r}, which ours have not")
    for number, content in found:
        match number, content:
            case ((13 | 14), _) if content != 0:
                raise ArtefactUnusable("a tensor of the graph lies in another file")
            case ((4 | 10), bytes()):
                _check_finite(content, _SINGLE if number == 4 else _DOUBLE)
            case 9, bytes() if kind in _FLOATS:
                _check_finite(content, _FLOATS[kind])


def _check_finite(numbers: bytes, kind: str) -> None:
    if len(numbers) % np.dtype(kind).itemsize or not np.isfinite(np.frombuffer(numbers, dtype=kind)).all():
        raise ArtefactUnusable("the graph holds a number that is not finite")


def _check_domain(domain: bytes | int) -> None:
    if domain not in _OURS:
        told = domain.decode(errors="replace") if isinstance(domain, bytes) else str(domain)
        raise ArtefactUnusable(f"the graph uses operators of {told!r}, which are not the standard ones")


def _fields(message: bytes) -> Iterator[Field]:
    """Yield number and content of each field of a message; raises ArtefactUnusable where it is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            content, at = _varint(message, at)
            yield number, content
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ArtefactUnusable("the graph cannot be read: it is no ONNX model")
        if at + size > len(message):
            raise ArtefactUnusable("the graph cannot be read: it ends in the middle")
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ArtefactUnusable("the graph cannot be read: it ends in the middle")
        number |= (message[at] & 0x7F) << shift
        at += 1
        if not message[at - 1] & 0x80:
            return number, at
    raise ArtefactUnusable("the graph cannot be read: it is no ONNX model")
