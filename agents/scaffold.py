"""The spec of a new agent, to begin with: it is sound as it stands, and its sample task can be done."""

from typing import Any, NamedTuple

import msgspec

from agents.catalog import pipeline_of
from agents.errors import PipelineUnknown


class Scaffold(NamedTuple):
    """A file's content, and the command that tries the agent once it is registered."""

    content: str
    task: str


_STEPS = """\
settings:
  steps:
    - do: clean # makes the text plain
    - do: sentiment # put what does the work here
      name: work
      check: # what must be true of what it brings; else the task goes to another agent
        - one_of: {field: label, values: [positive, neutral, negative]}
"""
_SAMPLE = {
    "steps": "I love it",
    "sentiment": "I love it",
    "arithmetic": "17 * 23",
    "clean": "some   text",
    "hashing": "some text",
}


def scaffold(name: str, pipeline: str) -> Scaffold:
    """Return a spec with a pipeline, and every setting that has to be given.

    Raises:
        PipelineUnknown: there is none of this name.
    """
    wanted = pipeline_of(pipeline)
    pool = "pool: elsewhere # its workers announce themselves for this pool\n" if pipeline == "remote" else ""
    content = f"""\
id: {name}
description: Say here what it is good for; tasks without a kind are matched by these words.
skills: [{name}]
version: '1'
pipeline: {pipeline}
{pool}{_STEPS if pipeline == "steps" else _settings(wanted.Settings)}timeout_s: 30
"""
    return Scaffold(content, f'smolit task submit "{_SAMPLE.get(pipeline, "a task")}" --agent {name} --wait')


def _settings(settings: type[msgspec.Struct]) -> str:
    """Return the settings that have no default, with a value of their type to be replaced."""
    needed = [field for field in msgspec.structs.fields(settings) if field.required]
    lines = [f"  {field.name}: {_value(field.type)} # to be filled in\n" for field in needed]
    return f"settings:\n{''.join(lines)}" if lines else ""


def _value(kind: Any) -> str:
    """Return a value that fits a type, as YAML."""
    samples: tuple[Any, ...] = ("text", True, 1, 1.0, [], {})
    for value in samples:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
        return msgspec.json.encode(value).decode()
    raise PipelineUnknown(f"a setting of type {kind} has to be written by hand")
