"""Planted bugs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smolit.chaos.bomb import Bomb
from smolit.process.ports import Ports


@dataclass(frozen=True)
class Bug:
    name: str
    process: str
    plant: Callable[[Ports, Bomb], Ports]


BUGS: Mapping[str, Bug] = {}
