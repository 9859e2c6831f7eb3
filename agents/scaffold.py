"""The spec of a new agent, to begin with: it is sound as it stands, and its sample task can be done."""

import re
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from agents.catalog import pipeline_of
from events.agent import MOST_EXAMPLES


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
_MODEL = """\
settings:
  any: {subtask: polarity} # which models may do it, by what their cards say of them; or `models: [NAME, ...]`
"""
_GIVEN = {"steps": _STEPS, "model": _MODEL}  # settings that cannot be made up from their types
_TEXTS = ("text", "/text", "2025-01-01", "a" * 64)  # the first that is of the form which a setting asks for
_SAMPLE = {
    "steps": "I love it",
    "sentiment": "I love it",
    "model": "I love it",
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
examples: # up to {MOST_EXAMPLES} tasks as somebody would ask for them; tasks without a kind are matched by them, too
  - {_quoted(_SAMPLE.get(pipeline, "a task"))}
skills: [{name}]
version: '1'
pipeline: {pipeline}
{pool}{_GIVEN.get(pipeline) or _settings(wanted.Settings)}timeout_s: 30
"""
    return Scaffold(content, f'smolit task submit "{_SAMPLE.get(pipeline, "a task")}" --agent {name} --wait')


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _settings(settings: type[msgspec.Struct]) -> str:
    """Return the settings that have no default, with a value of their type to be replaced."""
    needed = [field for field in msgspec.structs.fields(settings) if field.required]
    lines = [f"  {field.name}: {_value(field.type)} # to be filled in\n" for field in needed]
    return f"settings:\n{''.join(lines)}" if lines else ""


def _value(kind: Any) -> str:
    """Return a value that fits a type, as YAML on one line."""
    return msgspec.json.encode(_sample(inspect.type_info(kind))).decode()


def _sample(kind: inspect.Type) -> Any:
    """Return the least that fits a type."""
    match kind:
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.BoolType():
            return True
        case inspect.IntType() | inspect.FloatType():
            least = kind.ge if kind.ge is not None else kind.gt
            return 1 if least is None else least + (kind.ge is None)
        case inspect.StrType():
            fitting = (text for text in _TEXTS if re.search(kind.pattern or "", text) and len(text) >= (kind.min_length or 0))
            return next(fitting, _TEXTS[0])
        case inspect.StructType():
            return {field.encode_name: _sample(field.type) for field in kind.fields if field.required}
        case inspect.VarTupleType() | inspect.ListType():
            return [_sample(kind.item_type)] * (kind.min_length or 0)
        case inspect.DictType():
            return {f"name{number}": _sample(kind.value_type) for number in range(kind.min_length or 0)}
        case inspect.UnionType():
            return _sample(kind.types[0])
        case _:
            return None
