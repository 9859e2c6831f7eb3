"""Store golden files: `python -m tests.golden.store` adds what is missing and never overwrites an event."""

import json
from pathlib import Path
from typing import Any

import msgspec

from events.catalog import FACTS, NOTICES, REQUESTS
from events.event import EventType, Message
from events.topics import Names
from events.wire import Headers, encode
from tests.golden.sample import sample

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)
EVENTS = Path(__file__).with_name("events")


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


def main() -> None:
    """Store what is missing, and say what was done."""
    for cls in CLASSES:
        path = EVENTS / f"{stem(cls.event_type)}.json"
        if not path.exists():
            _write(path, stored(cls))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(json.dumps(content, ensure_ascii=False).encode()) + b"\n")
    print(f"stored {path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
