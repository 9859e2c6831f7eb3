"""Shapes that fit what came with a task, as one plan: steps for each file or entry, and what comes after all of them. Pure.

A task with several inputs gets the steps of every shape that fits, side by side, but for those that another stands `instead` of.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import msgspec

from agents.team.shape import Shape
from agents.team.spread import COPIED, joined, renamed, spread
from events.plan import Plan, PlanLimits, PlanStep
from events.task import FileRef

_MOST_COPIES = 20
_Meant = tuple[int | None, str, str]  # which file or entry, how it is referred to, and how people call it


class TooMany(Exception):
    """More came with a task than a shape may be copied for."""


def instantiated(
    shapes: Sequence[Shape], files: Sequence[FileRef], given: dict[str, Any], text: str | None
) -> tuple[Plan | None, tuple[str, ...]]:
    """Return the plan of all shapes that fit what came with a task, and their names; None: none fits.

    `text` None: whatever the task says.
    """
    made = [(shape, copies(shape, files, given)) for shape in shapes if text is None or _said(shape, text)]
    left_out = {name for shape, steps in made if steps for name in shape.instead}
    fit = [(shape, steps) for shape, steps in made if steps and shape.name not in left_out]
    if not fit:
        return None, ()
    used, steps = [shape for shape, _ in fit], tuple(step for _, some in fit for step in some)
    names = tuple(f"{shape.name}/{shape.version}" for shape in used)
    if len(used) == 1:
        only = used[0]
        return Plan(only.name, steps, only.version, only.merge, only.limits), names
    limits = PlanLimits(
        parts=max(shape.limits.parts for shape in used),
        depth=min(shape.limits.depth for shape in used),
        microusd=min((shape.limits.microusd for shape in used if shape.limits.microusd is not None), default=None),
    )
    return Plan("+".join(shape.name for shape in used)[:128], steps, merge="sections", limits=limits), names


def _said(shape: Shape, text: str) -> bool:
    """Say whether a text has one of the words that a shape asks for, or it asks for none."""
    words = shape.when.words
    return not words or any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)


def copies(shape: Shape, files: Sequence[FileRef], given: dict[str, Any]) -> list[PlanStep]:
    """Return a shape's steps for what came with the task: a copy for each file or entry, or one, and what comes then."""
    found = _meant(shape, files, given)
    if len(found) < shape.when.least or not found:
        return []
    if len(found) > _MOST_COPIES:
        raise TooMany(f"{len(found)} of what the shape {shape.name!r} is for; {_MOST_COPIES} at most")
    steps = [_copy(step, shape, at, what, named) for at, what, named in found for step in shape.steps]
    return [*steps, *(_last(step, shape, found) for step in shape.then)]


def _meant(shape: Shape, files: Sequence[FileRef], given: dict[str, Any]) -> list[_Meant]:
    """Return what a shape is to be copied for."""
    when = shape.when
    if when.files:
        fit = [at for at, one in enumerate(files) if any(fnmatchcase(one.media_type, kind) for kind in when.files)]
        return [(at, f"task.files[{at}]", files[at].name) for at in fit]
    if when.each is not None:
        listed = given.get(when.each)
        return (
            [(at, f"task.input.{when.each}[{at}]", str(at + 1)) for at in range(len(listed))] if isinstance(listed, list) else []
        )
    return [(None, "", "")] if when.input is not None and given.get(when.input) not in (None, "", [], {}) else []


def _copy(step: PlanStep, shape: Shape, at: int | None, what: str, named: str) -> PlanStep:
    """Return a step under a name of its own, with its references to others and to its file set right."""
    return _set(step, {one.id: _named(shape, at, one.id) for one in shape.steps}, what, f" ({named})" if named else "")


def _last(step: PlanStep, shape: Shape, found: Sequence[_Meant]) -> PlanStep:
    """Return a step that comes after all copies, with what it refers to in all of them."""
    made = msgspec.to_builtins(step)
    each = partial(_each, shape=shape, found=found)
    told = {"text": joined(made["text"], each), "input": spread(made["input"], each), "files": spread(made["files"], each)}
    names = {one.id: _named(shape, None, one.id) for one in shape.then}
    return _set(msgspec.convert({**made, **told}, PlanStep), names, "", "")


def _each(name: str, rest: str, *, shape: Shape, found: Sequence[_Meant]) -> list[str]:
    """Return what one reference to all copies stands for in each."""
    if name in COPIED:
        return [f"${{{what}{rest}}}" for _, what, _ in found]
    return [f"${{{_named(shape, at, name)}{rest}}}" for at, _, _ in found]


def _named(shape: Shape, at: int | None, name: str) -> str:
    """Return the name of a step in a copy."""
    prefix = re.sub(r"[^a-z0-9_-]", "_", shape.name.lower()) + ("" if at is None else f"_{at + 1}")
    return f"{prefix}_{name}"[:64]


def _set(step: PlanStep, names: dict[str, str], what: str, aside: str) -> PlanStep:
    """Return a step under its name in a plan."""
    made = msgspec.to_builtins(step)
    moved = {key: renamed(made[key], names, what) for key in ("text", "input", "files")}
    title = f"{step.title or step.id.replace('_', ' ')}{aside}"
    after = [names.get(one, one) for one in step.after]
    return msgspec.convert({**made, **moved, "id": names[step.id], "after": after, "title": title}, PlanStep)
