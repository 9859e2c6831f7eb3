"""Whether an answer fits the JSON Schema that was asked for."""

import re
from typing import Any

import msgspec

from agents.errors import AgentFailed
from agents.llm.backend import BackendFailed
from agents.port import Ask, Message

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)
_LONGEST = 300


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is no JSON Schema.

    Raises:
        AgentFailed: it is none.
    """
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise AgentFailed("agent_broken", f"the schema of the answer is none: {error.message[:_LONGEST]}") from error


def parsed(text: str, schema: dict[str, Any]) -> Any:
    """Return the answer as JSON.

    Raises:
        BackendFailed: it is no JSON, or does not fit.
    """
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    fenced = _FENCE.match(text)
    try:
        found = msgspec.json.decode(fenced[1] if fenced else text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackendFailed("misfit", f"the answer is no JSON: {error}") from error
    try:
        # An empty registry: a reference to another document is not fetched.
        wrong = next(iter(Draft202012Validator(schema, registry=Registry()).iter_errors(found)), None)
    except Unresolvable as error:
        raise AgentFailed("agent_broken", f"the schema of the answer refers to what is not in it: {error}") from error
    if wrong is not None:
        raise BackendFailed("misfit", f"the answer does not fit its schema at {wrong.json_path}: {wrong.message[:_LONGEST]}")
    return found


def repaired(ask: Ask, text: str, why: str) -> Ask:
    """Return the ask that gives a model its answer back, with what is wrong about it."""
    said = Message("assistant", text)
    again = Message("user", f"{why}. Answer again, with nothing but JSON that fits.")
    return msgspec.structs.replace(ask, messages=(*ask.messages, said, again))
