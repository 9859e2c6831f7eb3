"""What a language model is told of a task that it is to split, what it may say, and the plan that this is. Pure.

It may say steps with a skill, a text and what they come after, and nothing else: no agents, limits, inputs or files. A reference
to one of the task's own files in a text gives the step that file.
"""

import re
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from agents.pipeline import Work
from events.plan import Plan, PlanLimits

LIMITS = PlanLimits(parts=12, depth=2)  # what a model may have done; it does not set them itself
_LONGEST = 400
_SHOWN = 10
_FILE = re.compile(r"\$\{task\.files\[(\d{1,3})\]\}")
_TOLD = """Split the task into the fewest steps. Each step is done by one skill: {kinds}.
Answer with JSON like {{"steps": [{{"id": "a", "kind": "ocr", "text": "Read ${{task.files[0]}}.", "after": []}}, \
{{"id": "b", "kind": "summary", "text": "${{a.output.text}}", "after": ["a"]}}]}}.
If no skill can do the task, answer {{"steps": []}}."""


class SketchStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a sketch."""

    id: str
    kind: str
    text: str
    after: tuple[str, ...] = ()


class Sketch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a language model may say."""

    steps: tuple[SketchStep, ...]


def told(kinds: Collection[str]) -> str:
    """Return what a model is to do."""
    return _TOLD.format(kinds=", ".join(sorted(kinds)))


def asked(work: Work) -> str:
    """Return a task as a model sees it: its text, and how what came with it is referred to; contents are not shown."""
    files = [f"${{task.files[{at}]}}: file {one.name} ({one.media_type})" for at, one in enumerate(work.files[:_SHOWN])]
    given = [line for name, value in sorted(work.input.items()) for line in _fields(name, value)]
    return "\n".join([work.text, *(["It came with:", *files, *given] if files or given else [])])


def schema(kinds: Collection[str]) -> dict[str, Any]:
    """Return the JSON Schema of a sketch: skills are those that there are, and lengths have an end."""
    step = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "maxLength": 12},
            "kind": {"enum": sorted(kinds)},
            "text": {"type": "string", "maxLength": _LONGEST},
            "after": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 8},
        },
        "required": ["id", "kind", "text"],
        "additionalProperties": False,
    }
    steps = {"type": "array", "items": step, "maxItems": LIMITS.parts}
    return {"type": "object", "properties": {"steps": steps}, "required": ["steps"], "additionalProperties": False}


def plan_of(said: Any, work: Work) -> Plan:
    """Return the plan that a sketch is.

    Raises:
        ValidationError: it is none.
    """
    sketch = msgspec.convert(said, Sketch)
    steps = [_step(one, work) for one in sketch.steps]
    return msgspec.convert({"name": "language", "steps": steps, "limits": msgspec.to_builtins(LIMITS)}, Plan)


def _step(step: SketchStep, work: Work) -> dict[str, Any]:
    """Return a step with the files that its text refers to; they stand in the text by name."""
    places = [int(place) for place in _FILE.findall(step.text)]
    known = [place for place in dict.fromkeys(places) if place < len(work.files)]
    text = _FILE.sub(lambda found: f"${{task.files[{int(found[1])}].name}}", step.text)
    files = [f"${{task.files[{place}]}}" for place in known]
    return {"id": step.id, "kind": step.kind, "text": text, "after": list(step.after), "files": files}


def _fields(name: str, value: Any) -> list[str]:
    """Return how a field of the input is referred to, a line for each entry of a list."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        return []
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return [f"${{task.input.{name}[{at}]}}: text" for at in range(min(len(value), _SHOWN))]
    kind = "text" if isinstance(value, str) else "list" if isinstance(value, list) else "value"
    return [f"${{task.input.{name}}}: {kind}"]
