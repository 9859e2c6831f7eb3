"""JSON Schemas of agents: whether one is sound, and what of a value does not fit it. Compiled once per schema.

Source: JSON Schema draft 2020-12. A schema stands by itself: nothing is fetched, whatever a `$ref` names.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_KEPT = 512  # compiled schemas; a revised agent makes a new one
_TOLD_CHARS = 300


class Wrong(NamedTuple):
    """What is wrong with a schema: where, as in `.properties.a`, and what."""

    path: str
    what: str


def faults_of(schema: Mapping[str, Any]) -> list[Wrong]:
    """Return what is wrong with a schema itself; nothing if it can be used."""
    from jsonschema import Draft202012Validator  # a tenth of a second that starting need not take
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [Wrong(_path(error.absolute_path), _short(error.message))]
    return [Wrong(path, "a schema refers to its own parts only (`#/...`)") for path in _foreign(schema, "")]


def misfit(schema: Mapping[str, Any], value: Any) -> str | None:
    """Return in a sentence what of a value does not fit, the first by its place; None if it fits.

    The value is what JSON would make of it: tuples are lists, structs are objects.
    """
    from referencing.exceptions import Unresolvable

    try:
        errors = sorted(_compiled(msgspec.json.encode(schema)).iter_errors(as_json(value)), key=_order)
    except Unresolvable as error:
        return f"its schema cannot be followed: {_short(str(error))}"
    except (TypeError, ValueError, RecursionError) as error:
        return f"JSON cannot hold it: {_short(str(error))}"
    return f"{errors[0].json_path}: {_short(errors[0].message)}" if errors else None


def as_json(value: Any) -> Any:
    """Return a value as whoever reads its JSON has it: tuples are lists, structs are objects, NaN is null.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold it.
    """
    return msgspec.json.decode(msgspec.json.encode(value))


@lru_cache(maxsize=_KEPT)
def _compiled(schema: bytes) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    nothing_else: Registry[Any] = Registry()
    return Draft202012Validator(msgspec.json.decode(schema), registry=nothing_else)


def _order(error: Any) -> tuple[str, str]:
    return error.json_path, error.message


def _foreign(schema: Any, path: str) -> Iterator[str]:
    """Yield where a schema refers to another document."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _foreign(item, f"{path}[{index}]")
    elif isinstance(schema, Mapping):
        for key, item in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(item, str) and not item.startswith("#"):
                yield f"{path}.{key}"
            yield from _foreign(item, f"{path}.{key}")


def _path(parts: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _short(text: str) -> str:
    return text if len(text) <= _TOLD_CHARS else f"{text[:_TOLD_CHARS]}…"
