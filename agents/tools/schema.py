"""Whether a value fits a JSON Schema; nothing is ever fetched for it, and nobody's schema may burn time."""

from collections.abc import Mapping
from typing import Any

import msgspec

MOST_BYTES = 64_000  # of arguments
MOST_DEPTH = 32
_COSTLY = frozenset({"pattern", "patternProperties"})  # a stranger's expression may take for ever
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return why a value does not fit a schema (draft 2020-12), in one sentence; None: it fits."""
    import referencing  # with jsonschema a tenth of a second, so whoever calls no tool does not pay it
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema, registry=referencing.Registry())  # a registry of nothing: no look-ups outside
    try:
        error = next(validator.iter_errors(value), None)
    except (RecursionError, referencing.exceptions.Unresolvable) as wrong:
        return f"its schema cannot be followed ({type(wrong).__name__})"
    if error is None:
        return None
    where = "".join(f"[{part!r}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"{where.lstrip('.') or 'the whole'}: {error.message}"[:300]


def too_big(value: Any) -> str | None:
    """Return why a value is no set of arguments that is looked at any further; None: it is one."""
    if not isinstance(value, dict):
        return "arguments must be an object"
    if _depth(value, 0) > MOST_DEPTH:
        return f"arguments are nested deeper than {MOST_DEPTH}"
    try:
        size = len(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError, OverflowError):
        return "arguments must be JSON"
    return f"arguments have more than {MOST_BYTES} bytes" if size > MOST_BYTES else None


def harmless(schema: Any, depth: int = 0) -> Any:
    """Return a stranger's schema without what may burn time or point elsewhere."""
    if depth > MOST_DEPTH:
        return {}
    if isinstance(schema, list):
        return [harmless(one, depth + 1) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if any(isinstance(schema.get(name), str) and not schema[name].startswith("#") for name in _REFERENCES):
        return {}
    return {name: harmless(one, depth + 1) for name, one in schema.items() if name not in _COSTLY or isinstance(one, bool)}


def _depth(value: Any, above: int) -> int:
    """Return how deep a value is nested; no deeper than just beyond what is allowed."""
    if above > MOST_DEPTH or not isinstance(value, dict | list):
        return above
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, above + 1) for one in inner), default=above)
