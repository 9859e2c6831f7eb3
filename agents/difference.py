"""What differs between two specs, field by field. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from agents.schema import as_json
from events.agent import AgentSpec


class Difference(Struct, frozen=True):
    """One field that differs: its place, as in `settings.steps[0].do`, and what it was and is; null: it is not there."""

    field: str
    before: Any
    after: Any


def differences(before: AgentSpec, after: AgentSpec) -> list[Difference]:
    """Return what differs, in the order of the fields."""
    return list(_between(as_json(before), as_json(after), ""))


def _between(before: Any, after: Any, path: str) -> Iterator[Difference]:
    """Yield the deepest places that differ; 1 and true do."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in (*before, *(key for key in after if key not in before)):
            yield from _between(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _between(one, other, f"{path}[{number}]")
    elif type(before) is not type(after) or before != after:
        yield Difference(path, before, after)
