"""Renew the published contract, `contracts/`, from the classes: `python -m tests.golden.publish`.

A change that breaks what was published is named and nothing is written: raise the version and write an upcaster.
"""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from events.catalog import CATALOG
from events.contract import DOCUMENT, files
from events.errors import UnknownEventType
from events.request import Request
from events.schema import schema_of
from events.topics import DEFAULT_TENANT, Names
from smolit.cli.contract import PUBLISHED
from tests.golden.compatibility import breaking


def present() -> dict[str, bytes]:
    """Return the contract as the classes have it, with the names that topics have unless somebody sets others."""
    return files(Names(), [DEFAULT_TENANT], version("smolit"))


def published(folder: Path = PUBLISHED) -> dict[str, bytes]:
    """Return the contract as it was published."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def broken(promised: Mapping[str, bytes]) -> list[str]:
    """Return every promise that the classes do not keep, with type, version and field."""
    schemas = {name.removesuffix(".json"): json.loads(content) for name, content in promised.items() if name != DOCUMENT}
    return [f"{wire_name}: {told}" for wire_name, schema in schemas.items() for told in _broken(wire_name, schema)]


def _broken(wire_name: str, promised: dict[str, Any]) -> list[str]:
    """Return what became untrue of one published schema; versions that a newer one has replaced are history."""
    name, _, number = wire_name.removeprefix("smolit.").rpartition(".v")
    try:
        cls = CATALOG.newest(name)
    except UnknownEventType:
        return ["was published, and no class has the name any more"]
    newest = cls.event_type.version
    if int(number) > newest:
        return [f"was published, and the class is of version {newest}"]
    found = breaking(promised, schema_of(cls), ours=not issubclass(cls, Request)) if int(number) == newest else []
    return [f"{change.field} {change.what}" for change in found]


def main(folder: Path = PUBLISHED) -> int:
    """Write what is new, unless a promise is broken; say what was done, or what must not be done."""
    if found := broken(published(folder)):
        print(*found, "nothing was written: raise the version and write an upcaster", sep="\n")
        return 1
    folder.mkdir(exist_ok=True)
    for name, content in present().items():
        if published(folder).get(name) != content:
            (folder / name).write_bytes(content)
            print(f"published {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
