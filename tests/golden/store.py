"""Store golden files: `python -m tests.golden.store` adds what is missing and never overwrites an event.

`--additive` also renews schemas to which something was only added. What breaks is never stored: raise the version.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from events.catalog import FACTS, NOTICES, REQUESTS
from events.event import EventType, Message
from events.schema import schema_of
from events.topics import Names
from events.wire import Headers, encode
from tests.golden.compatibility import changes
from tests.golden.sample import sample

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)
EVENTS = Path(__file__).with_name("events")
SCHEMAS = Path(__file__).with_name("schemas")


def stem(kind: EventType, version: int | None = None) -> str:
    """Return the file name of an event type and version, without its suffix."""
    return f"{kind.name}.v{version or kind.version}"


def stored(cls: type[Message]) -> dict[str, Any]:
    """Return the golden file of a class: headers and value as they are on the wire, readable."""
    record = encode(Names().of(cls.event_type.topic), sample(cls))
    return {
        "topic": record.topic,
        "key": record.key.decode(),
        "headers": {name: content.decode() for name, content in record.headers},
        "value": record.value.decode(),
    }


def opened(path: Path) -> tuple[Headers, bytes]:
    """Return headers and value of a golden file."""
    whole = json.loads(path.read_text())
    return tuple((name, content.encode()) for name, content in whole["headers"].items()), whole["value"].encode()


def main(arguments: Sequence[str]) -> int:
    """Store what is missing; say what was done, and what must not be done."""
    broken = 0
    for cls in CLASSES:
        name = f"{stem(cls.event_type)}.json"
        if not (EVENTS / name).exists():
            _write(EVENTS / name, stored(cls))
        broken += _keep_schema(SCHEMAS / name, schema_of(cls), additive="--additive" in arguments)
    return 1 if broken else 0


def _keep_schema(path: Path, schema: dict[str, Any], *, additive: bool) -> int:
    """Store a schema that is new or, if told so, one that only grew; return how many changes break it."""
    found = changes(json.loads(path.read_text()), schema) if path.exists() else []
    breaking = [change for change in found if change.kind == "breaking"]
    for change in breaking:
        print(f"{path.stem}: {change.field} {change.what}: raise the version and write an upcaster")
    if not path.exists() or (found and additive and not breaking):
        _write(path, _bare(schema))
    return len(breaking)


def _bare(schema: Any) -> Any:
    """Return a schema without its prose, which may change freely."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _bare(item) for key, item in schema.items() if not (key == "description" and isinstance(item, str))}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(json.dumps(content, ensure_ascii=False).encode()) + b"\n")
    print(f"stored {path.parent.name}/{path.name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
