"""Plans as data: one YAML file is one shape of task and the steps that do it; every fault is told with file and line.

A shape says what it is for: each file of some kind (`when: files`), a field of the task's input (`when: input`), or nothing,
and then it serves those who ask for it by name. A task with several inputs gets the steps of every shape that fits, side by side.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import yaml
from msgspec import Meta, Struct

from agents.plain_yaml import Fault, Unreadable, at, line, parse, plain, strange_keys, strange_values, values_of
from agents.team.check import PlanFault, faults
from events.field import Ident, Name, Sentence
from events.plan import Merge, Plan, PlanLimits, PlanStep
from events.task import FileRef

FOLDER = Path(__file__).parents[1] / "plans"
SUFFIX = ".yaml"
FILE = "file"  # what a step of a shape for files calls its file
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_FILE = re.compile(r"\$\{file\b")


class When(Struct, frozen=True, forbid_unknown_fields=True):
    """What a shape is for: files of these media types (`image/*`), or a field of the input; nothing: only by name."""

    files: tuple[Ident, ...] = ()
    input: Ident | None = None


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """One shape of task, and its steps."""

    name: Name
    description: Sentence
    steps: Annotated[tuple[PlanStep, ...], Meta(min_length=1, max_length=50)]
    version: Annotated[int, Meta(ge=1)] = 1
    when: When = When()
    merge: Merge = "sections"
    limits: PlanLimits = PlanLimits()

    @property
    def plan(self) -> Plan:
        """Return its steps as they are, for a task that asks for it by name."""
        return Plan(name=self.name, version=self.version, steps=self.steps, merge=self.merge, limits=self.limits)


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


def instantiated(shapes: Sequence[Shape], files: Sequence[FileRef], given: dict[str, Any]) -> tuple[Plan | None, tuple[str, ...]]:
    """Return the plan of all shapes that fit what came with a task, and their names; None: none fits."""
    steps: list[PlanStep] = []
    used: list[Shape] = []
    for shape in shapes:
        copies = _copies(shape, files, given)
        steps += copies
        used += [shape] if copies else []
    if not used:
        return None, ()
    names = tuple(f"{shape.name}/{shape.version}" for shape in used)
    if len(used) == 1:
        only = used[0]
        return Plan(only.name, tuple(steps), only.version, only.merge, only.limits), names
    limits = PlanLimits(
        parts=max(shape.limits.parts for shape in used),
        depth=min(shape.limits.depth for shape in used),
        microusd=min((shape.limits.microusd for shape in used if shape.limits.microusd is not None), default=None),
    )
    return Plan("+".join(shape.name for shape in used)[:128], tuple(steps), merge="sections", limits=limits), names


def _copies(shape: Shape, files: Sequence[FileRef], given: dict[str, Any]) -> list[PlanStep]:
    """Return a shape's steps for what came with the task: one copy for each file that fits, or one."""
    if shape.when.files:
        fit = [at for at, one in enumerate(files) if any(fnmatchcase(one.media_type, kind) for kind in shape.when.files)]
        return [_copy(step, shape, at, files[at].name) for at in fit for step in shape.steps]
    if shape.when.input is not None and given.get(shape.when.input) not in (None, "", [], {}):
        return [_copy(step, shape, None, "") for step in shape.steps]
    return []


def _copy(step: PlanStep, shape: Shape, file: int | None, named: str) -> PlanStep:
    """Return a step under a name of its own, with its references to others and to its file set right."""
    prefix = re.sub(r"[^a-z0-9_-]", "_", shape.name.lower()) + ("" if file is None else f"_{file + 1}")
    names = {one.id: f"{prefix}_{one.id}"[:64] for one in shape.steps}
    made = msgspec.to_builtins(step)
    moved = {key: _renamed(made[key], names, file) for key in ("text", "input", "files")}
    title = f"{step.title or step.id.replace('_', ' ')}{f' ({named})' if named else ''}"
    return msgspec.convert(
        {**made, **moved, "id": names[step.id], "after": [names[one] for one in step.after], "title": title}, PlanStep
    )


def _renamed(value: Any, names: dict[str, str], file: int | None) -> Any:
    if isinstance(value, str):
        if file is not None:
            value = _FILE.sub(f"${{task.files[{file}]", value)
        return re.sub(r"\$\{([a-z][a-z0-9_-]*)", lambda found: "${" + names.get(found[1], found[1]), value)
    if isinstance(value, dict):
        return {key: _renamed(one, names, file) for key, one in value.items()}
    return [_renamed(one, names, file) for one in value] if isinstance(value, list | tuple) else value


def _wrong(shape: Shape) -> tuple[PlanFault, ...]:
    """Return what is wrong with the steps; `${file}` is known where the shape is for files."""
    fields, file = ("text", "input", "files"), 0 if shape.when.files else None
    made = [msgspec.to_builtins(step) for step in shape.steps]
    steps = msgspec.convert([one | {key: _renamed(one[key], {}, file) for key in fields} for one in made], tuple[PlanStep, ...])
    return faults(msgspec.structs.replace(shape.plan, steps=steps))


def _misfit(name: str, root: yaml.MappingNode, told: str) -> Fault:
    """Return a field that does not fit, on its line."""
    found = _PLACE.match(told)
    what, path = (found["what"], found["path"] or "") if found else (told, "")
    return Fault(name, line(at(root, path)), f"{path.lstrip('.') + ': ' if path else ''}{what}")


def _placed(name: str, root: yaml.MappingNode, fault: PlanFault) -> Fault:
    """Return a fault of a step on the line that the step begins on."""
    steps = values_of(root).get("steps")
    nodes = steps.value if isinstance(steps, yaml.SequenceNode) else []
    where = next((line(node) for node in nodes if plain(node).get("id") == fault.step), line(root))
    return Fault(name, where, str(fault))
