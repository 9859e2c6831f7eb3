"""The one canonical form of a policy's state: a header in JSON, then raw little-endian float64.

Reading one executes nothing.

Layout: `smolit-state/1\\n`, the header's length (8 bytes, big-endian), the header (JSON, keys sorted), the arrays one
after the other in the header's order, C order, `<f8`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from learning.errors import UnreadableState

_MAGIC = b"smolit-state/1\n"
_LENGTH = 8

Arrays = Mapping[str, NDArray[np.float64]]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name and shape of one array."""

    name: str
    shape: tuple[int, ...]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose state it is, with which settings, and what follows; `agents` are the rows of the arrays, sorted."""

    policy: str
    version: int
    width: int
    settings: dict[str, float | str]
    agents: list[str]
    arrays: list[Shape]


@dataclass(frozen=True, slots=True)
class State:
    """A state taken apart: its header, and its arrays by name (fresh, writable, finite)."""

    header: Header
    arrays: dict[str, NDArray[np.float64]]


def pack(policy: str, version: int, width: int, settings: Mapping[str, float | str], agents: list[str], arrays: Arrays) -> bytes:
    """Return the state's bytes; the same state always gives the same ones."""
    shapes = [Shape(name, array.shape) for name, array in arrays.items()]
    header = msgspec.json.encode(Header(policy, version, width, dict(settings), agents, shapes), order="sorted")
    body = b"".join(np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays.values())
    return _MAGIC + len(header).to_bytes(_LENGTH, "big") + header + body


def unpack(state: bytes, policy: str, version: int, width: int) -> State:
    """Take a state apart; raises UnreadableState if it is broken, another policy's, or holds what is not finite."""
    header, body = _split(state)
    found = (header.policy, header.version, header.width)
    if found != (policy, version, width):
        raise UnreadableState(
            f"a state of {found[0]} version {found[1]}, width {found[2]}, is none of {policy} version {version}, width {width}"
        )
    if header.agents != sorted(set(header.agents)):
        raise UnreadableState("the agents of a state are not sorted, or one is there twice")
    return State(header, _arrays(header, body))


def _split(state: bytes) -> tuple[Header, bytes]:
    start = len(_MAGIC) + _LENGTH
    if not state.startswith(_MAGIC) or len(state) < start:
        raise UnreadableState("these bytes do not begin like a policy's state")
    end = start + int.from_bytes(state[len(_MAGIC) : start], "big")
    try:
        return msgspec.json.decode(state[start:end], type=Header), state[end:]
    except msgspec.DecodeError as error:  # a ValidationError is one too
        raise UnreadableState(f"the header of a state cannot be read: {error}") from error


def _arrays(header: Header, body: bytes) -> dict[str, NDArray[np.float64]]:
    sizes = [_size(shape) for shape in header.arrays]
    if sum(sizes) * 8 != len(body):
        raise UnreadableState(f"a state announces {sum(sizes)} numbers and brings {len(body)} bytes")
    numbers = np.frombuffer(body, dtype="<f8").astype(np.float64)
    if not np.isfinite(numbers).all():
        raise UnreadableState("a state holds a number that is not finite")
    parts = np.split(numbers, np.cumsum(sizes)[:-1]) if sizes else []
    return {shape.name: part.reshape(shape.shape) for shape, part in zip(header.arrays, parts, strict=True)}


def _size(shape: Shape) -> int:
    size = 1
    for side in shape.shape:
        if side < 0:
            raise UnreadableState(f"array {shape.name!r} of a state has a negative side")
        size *= side
    return size
