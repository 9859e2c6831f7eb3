"""References: `${step.output.field}`, `${step.said}` and `${task.text}` in a plan, and what stands there in the end. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from events.plan import PlanStep

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_PATH = re.compile(r"(?P<name>[a-z][a-z0-9_-]*)(?P<rest>(?:\.[A-Za-z0-9_-]+|\[\d+\])*)")
_PART = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
TASK = "task"
_OF_TASK = ("text", "input", "files")
_OF_STEP = ("output", "said")  # `said`: the output as a person reads it


class ReferenceMissing(Exception):
    """What a reference names is not there."""


class BadReference(Exception):
    """What stands between the braces is no reference."""


def references(value: Any) -> Iterator[str]:
    """Yield every reference in a value, without its braces."""
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references(one)


def of_step(step: PlanStep) -> Iterator[str]:
    """Yield every reference of a step."""
    yield from references([step.text, step.input, list(step.files)])


def target(reference: str) -> str:
    """Return whose value a reference names: a step, or `task`.

    Raises:
        BadReference: it is none.
    """
    found = _PATH.fullmatch(reference)
    if found is None:
        raise BadReference(f"${{{reference}}} is no reference; write ${{step.output.field}} or ${{task.text}}")
    name, first = found["name"], _PART.match(found["rest"])
    wanted = _OF_TASK if name == TASK else _OF_STEP
    if first is None or first[1] not in wanted:
        raise BadReference(f"${{{reference}}}: after {name!r} comes {' or '.join('.' + one for one in wanted)}")
    return name


def needs(step: PlanStep) -> tuple[str, ...]:
    """Return the steps that have to be completed before this one, sorted; references that are none are passed over."""
    found = set(step.after)
    for reference in of_step(step):
        try:
            found.add(target(reference))
        except BadReference:
            continue
    return tuple(sorted(found - {TASK}))


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a value with every reference replaced; one that is a whole text keeps its type, others become text.

    Raises:
        ReferenceMissing: what one names is not there.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _looked_up(whole[1], known)
        return _REFERENCE.sub(lambda found: shown(_looked_up(found[1], known)), value)
    if isinstance(value, Mapping):
        return {key: filled(one, known) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, known) for one in value]
    return value


def shown(value: Any) -> str:
    """Return a value as text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _looked_up(reference: str, known: Mapping[str, Any]) -> Any:
    """Return what a reference names."""
    found = _PATH.fullmatch(reference)
    if found is None or found["name"] not in known:
        raise ReferenceMissing(f"${{{reference}}} is not known")
    value = known[found["name"]]
    for key, index in _PART.findall(found["rest"]):
        if key and isinstance(value, Mapping) and key in value:
            value = value[key]
        elif index and isinstance(value, list | tuple) and int(index) < len(value):
            value = value[int(index)]
        else:
            raise ReferenceMissing(f"${{{reference}}}: there is no {key or '[' + index + ']'}")
    return value
