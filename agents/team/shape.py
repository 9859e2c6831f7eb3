"""Plans as data: one YAML file is one shape of task and the steps that do it; every fault is told with file and line.

A shape says what it is for: each file of some kind (`when: files`), a field of the task's input (`when: input`), each entry of
such a field (`when: each`), or nothing, and then it serves those who ask for it by name; words of the text may be asked for, too.
"""

import re
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import yaml
from msgspec import Meta, Struct

from agents.plain_yaml import Fault, Unreadable, at, line, parse, plain, strange_keys, strange_values, values_of
from agents.team.check import PlanFault, faults
from agents.team.spread import renamed, single
from events.field import Ident, Name, Sentence
from events.plan import Merge, Plan, PlanLimits, PlanStep

FOLDER = Path(__file__).parents[1] / "plans"
SUFFIX = ".yaml"
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)


class When(Struct, frozen=True, forbid_unknown_fields=True):
    """What a shape is for; nothing: only by name.

    `files`: media types (`image/*`); `input`: a field of the input; `each`: a field that is a list. `words`: one of them stands
    in the task's text. `least`: so many files or entries there are.
    """

    files: tuple[Ident, ...] = ()
    input: Ident | None = None
    each: Ident | None = None
    words: tuple[Sentence, ...] = ()
    least: Annotated[int, Meta(ge=1, le=50)] = 1


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """One shape of task: `steps` for each file or entry, `then` once, and which shapes are left out where it fits.

    In `steps`, `${file}` and `${item}` are what a copy is for; in `then`, `${all.step.output}` is what a step gave in every copy:
    a list, or texts with a blank line between them; `${all.file}` and `${all.item}` are all of these.
    """

    name: Name
    description: Sentence
    steps: Annotated[tuple[PlanStep, ...], Meta(min_length=1, max_length=50)]
    version: Annotated[int, Meta(ge=1)] = 1
    when: When = When()
    then: Annotated[tuple[PlanStep, ...], Meta(max_length=10)] = ()
    instead: tuple[Name, ...] = ()
    merge: Merge = "sections"
    limits: PlanLimits = PlanLimits()

    @property
    def plan(self) -> Plan:
        """Return its steps as they are, for a task that asks for it by name."""
        return Plan(name=self.name, version=self.version, steps=(*self.steps, *self.then), merge=self.merge, limits=self.limits)


class Read(NamedTuple):
    """What a file holds: a shape, or faults."""

    shape: Shape | None
    faults: tuple[Fault, ...]


def load(folder: Path = FOLDER) -> tuple[Shape, ...]:
    """Return every sound shape in a folder, by file name."""
    reads = [read(file.name, file.read_bytes()) for file in sorted(folder.glob(f"*{SUFFIX}"))]
    return tuple(one.shape for one in reads if one.shape is not None)


def read(name: str, content: bytes) -> Read:
    """Return the shape in a file's content, or everything that is wrong with it."""
    try:
        root = parse(name, content)
    except Unreadable as error:
        return Read(None, tuple(error.faults))
    strange = (*strange_keys(name, root), *strange_values(name, root))
    if strange:
        return Read(None, strange)
    try:
        shape = msgspec.convert(plain(root), Shape)
    except msgspec.ValidationError as error:
        return Read(None, (_misfit(name, root, str(error)),))
    found = tuple(_placed(name, root, one) for one in _wrong(shape))
    return Read(None if found else shape, found)


def _wrong(shape: Shape) -> tuple[PlanFault, ...]:
    """Return what is wrong with the steps, looked at as one copy of them: what they stand for is known there."""
    what = "task.files[0]" if shape.when.files else f"task.input.{shape.when.each}[0]" if shape.when.each else ""
    made = [_looked_at(step, what) for step in (*shape.steps, *shape.then)]
    return faults(msgspec.structs.replace(shape.plan, steps=tuple(made)))


def _looked_at(step: PlanStep, what: str) -> PlanStep:
    """Return a step with its references as they are in the only copy."""
    made = msgspec.to_builtins(step)
    moved = {key: renamed(single(made[key], what), {}, what) for key in ("text", "input", "files")}
    return msgspec.convert({**made, **moved}, PlanStep)


def _misfit(name: str, root: yaml.MappingNode, told: str) -> Fault:
    """Return a field that does not fit, on its line."""
    found = _PLACE.match(told)
    what, path = (found["what"], found["path"] or "") if found else (told, "")
    return Fault(name, line(at(root, path)), f"{path.lstrip('.') + ': ' if path else ''}{what}")


def _placed(name: str, root: yaml.MappingNode, fault: PlanFault) -> Fault:
    """Return a fault of a step on the line that the step begins on."""
    some = [values_of(root).get(field) for field in ("steps", "then")]
    nodes = [node for one in some if isinstance(one, yaml.SequenceNode) for node in one.value]
    where = next((line(node) for node in nodes if plain(node).get("id") == fault.step), line(root))
    return Fault(name, where, str(fault))
