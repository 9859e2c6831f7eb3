"""What may be looked for: the built-in space of each policy, or one from a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from events.search import Dimension
from learning.errors import PolicyError
from learning.policies import create
from smolit.errors import UsageInvalid
from smolit.search import architecture

# Around the defaults, in both directions as far as a setting still means something.
SPACES: Mapping[str, tuple[Dimension, ...]] = {
    "ridge_igw": (
        Dimension(name="ridge", low=1.0, high=100.0, log=True),
        Dimension(name="trust", low=1.0, high=100.0, log=True),
        Dimension(name="gain", low=1.0, high=400.0, log=True),
        Dimension(name="floor", low=0.001, high=0.02, log=True),
    ),
    architecture.POLICY: architecture.SPACE,
}


def space_of(policy: str, file: Path | None) -> tuple[Dimension, ...]:
    """Return where to look: `gain: {low: 1, high: 100, log: true}` for each setting in the file, or what is built in.

    Raises:
        UsageInvalid: there is nothing built in for that policy, or the file does not say what it should.
    """
    if file is None:
        if policy not in SPACES:
            raise UsageInvalid(f"nothing is built in to look for in {policy!r} ({', '.join(SPACES)} have it); give --space FILE")
        return SPACES[policy]
    try:
        said = msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), dict[str, dict[str, Any]])
        found = tuple(msgspec.convert({"name": name, **what}, Dimension) for name, what in said.items())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise UsageInvalid(f"{file.name} is no space of settings: {' '.join(str(error).split())}") from error
    _check(policy, found)
    return found


def default_in(policy: str, space: tuple[Dimension, ...]) -> dict[str, Any]:
    """Return what the policy has by itself for each setting of a space; raises PolicyError for one that it does not have."""
    settings = architecture.START if policy == architecture.POLICY else create(policy, 1).settings
    if missing := [one.name for one in space if one.name not in settings]:
        raise UsageInvalid(f"{policy} has no setting {missing[0]!r}; it has {', '.join(settings)}")
    return {one.name: settings[one.name] for one in space}


def holds(one: Dimension, value: Any) -> bool:
    """Say whether a setting may be this."""
    return value in one.values if one.values else one.low <= value <= one.high


def _check(policy: str, space: tuple[Dimension, ...]) -> None:
    """Refuse a space that is empty, turned round, or whose ends the policy cannot take."""
    if not space:
        raise UsageInvalid("the space of settings is empty")
    for one in space:
        if not one.values and (one.low > one.high or (one.log and one.low <= 0)):
            raise UsageInvalid(f"{one.name} cannot lie between {one.low:g} and {one.high:g}")
    if policy == architecture.POLICY:
        architecture.check(space)
        return
    default_in(policy, space)
    try:
        for ends in ({one.name: (min(one.values) if one.values else one.low) for one in space},
                     {one.name: (max(one.values) if one.values else one.high) for one in space}):  # fmt: skip
            create(policy, 1, ends)
    except PolicyError as error:
        raise UsageInvalid(f"the space goes beyond what {policy} takes: {error}") from error
