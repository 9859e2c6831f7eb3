"""What changed between two JSON Schemas of one event version, and whether somebody was promised otherwise.

Two are promised something. Who reads an event with the new schema must understand what was written under the old one: that
holds for requests, which others write, and for facts, which are kept for ever. And who reads our facts with the old schema
must understand what we write now, so for facts a wider schema breaks the promise as well: only an optional field may be new.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

Schema = Mapping[str, Any]
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("type", "const", "format", "pattern", "contentEncoding", "default")


Kind = Literal["narrower", "wider", "added"]


class Change(Struct, frozen=True):
    """One difference: the field, and what became of it.

    `narrower`: something that was written is refused or read otherwise; `wider`: something that could not be written can be;
    `added`: an optional field.
    """

    kind: Kind
    field: str
    what: str


def breaking(old: Schema, new: Schema, *, ours: bool) -> list[Change]:
    """Return the changes that break a promise; `ours`: it is we who write what the schema describes."""
    return [change for change in changes(old, new) if change.kind == "narrower" or (ours and change.kind == "wider")]


def changes(old: Schema, new: Schema) -> list[Change]:
    """Return all differences that matter for reading what was written under the old schema."""
    return sorted(set(_compared(old, new, old, new, "$")), key=lambda change: (change.field, change.what))


def _compared(old: Schema, new: Schema, before: Schema, after: Schema, path: str) -> Iterator[Change]:
    """Compare two schemas whose references lead into `before` and `after`."""
    old, new = _resolved(old, before), _resolved(new, after)
    if "anyOf" in old or "anyOf" in new:
        yield from _alternatives(old, new, before, after, path)
        return
    yield from _exact(old, new, path)
    yield from _limits(old, new, path)
    yield from _enumerated(old, new, path)
    yield from _fields(old, new, before, after, path)
    yield from _contents(old, new, before, after, path)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a reference."""
    target = schema.get("$ref")
    if target is None:
        return schema
    return root if target == "#" else root["$defs"][target.removeprefix("#/$defs/")]  # type: ignore[no-any-return]


def _alternatives(old: Schema, new: Schema, before: Schema, after: Schema, path: str) -> Iterator[Change]:
    """A field of several types: each old one must still be read."""
    olds, news = ({_label(one): one for one in schema.get("anyOf", [schema])} for schema in (old, new))
    for label in sorted(set(olds) - set(news)):
        yield Change("narrower", path, f"is no longer {label}")
    for label in sorted(set(news) - set(olds)):
        yield Change("wider", path, f"may also be {label}")
    for label in sorted(set(olds) & set(news)):
        yield from _compared(olds[label], news[label], before, after, path)
    if old.get("default") != new.get("default"):
        yield Change("narrower", path, "has another default")


def _label(schema: Schema) -> str:
    return str(schema.get("$ref") or schema.get("type") or ("enum" if "enum" in schema else "anything"))


def _exact(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What must stay as it is, or go away altogether."""
    for key in _EXACT:
        if key == "type" and ("enum" in old or "enum" in new):
            continue  # msgspec writes no type beside an enum; its values tell more
        if old.get(key) != new.get(key):
            loosened = key in ("type", "pattern", "format") and key not in new
            kind: Kind = "wider" if loosened else "narrower"
            yield Change(kind, path, f"changed its {key} from {old.get(key)!r} to {new.get(key)!r}")


def _limits(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """A limit that became tighter refuses what was allowed; msgspec writes none for unlimited."""
    for key, tighter in [*((key, 1) for key in _LOWER), *((key, -1) for key in _UPPER)]:
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        tightened = now is not None and (was is None or (now - was) * tighter > 0)
        yield Change("narrower" if tightened else "wider", path, f"changed its {key} from {was} to {now}")


def _enumerated(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """A choice among values: none may go."""
    if "enum" not in old and "enum" in new:
        yield Change("narrower", path, f"is now one of {new['enum']}")
    elif "enum" in old:
        was, now = set(old["enum"]), set(new.get("enum", old["enum"]))
        yield from (Change("narrower", path, f"no longer allows {gone!r}") for gone in sorted(was - now))
        yield from (Change("wider", path, f"also allows {added!r}") for added in sorted(now - was))
        if "enum" not in new:
            yield Change("narrower" if new.get("type") != "string" else "wider", path, "is no longer a choice")


def _fields(old: Schema, new: Schema, before: Schema, after: Schema, path: str) -> Iterator[Change]:
    """Fields of an object: none may go, and new ones must be optional."""
    was, now = old.get("properties", {}), new.get("properties", {})
    required_then, required_now = set(old.get("required", [])), set(new.get("required", []))
    for name in was:
        if name not in now:
            yield Change("narrower", f"{path}.{name}", "was removed")
        else:
            yield from _compared(was[name], now[name], before, after, f"{path}.{name}")
            if name in required_now - required_then:
                yield Change("narrower", f"{path}.{name}", "became required")
            if name in required_then - required_now:
                yield Change("wider", f"{path}.{name}", "became optional")
    for name in sorted(set(now) - set(was)):
        must = name in required_now
        yield Change("narrower" if must else "added", f"{path}.{name}", f"is new{' and required' * must}")


def _contents(old: Schema, new: Schema, before: Schema, after: Schema, path: str) -> Iterator[Change]:
    """What lists and mappings hold."""
    for key, step in (("items", "[]"), ("additionalProperties", ".*")):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _compared(was, now, before, after, path + step)
        elif was != now:
            yield Change("wider" if was is False else "narrower", path + step, f"changed from {was!r} to {now!r}")
