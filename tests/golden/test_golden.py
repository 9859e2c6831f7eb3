"""Every event ever stored is still read, and no schema changes in a way that breaks one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.catalog import CATALOG
from events.event import Message
from events.wire import decode, encode
from tests.golden.publish import broken, present, published
from tests.golden.sample import sample
from tests.golden.store import CLASSES, EVENTS, opened, stem, stored

FILES = sorted(EVENTS.glob("*.json"))


def named(cls: type[Message]) -> str:
    """Return a class as test reports show it."""
    return stem(cls.event_type)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_event_ever_stored_is_still_read(path: Path) -> None:
    """What was written under any version reaches the newest class of its name."""
    headers, value = opened(path)

    event = decode(headers, value)

    assert type(event.fact) is CATALOG.newest(path.stem.rpartition(".v")[0])


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_the_newest_version_goes_through_unchanged(cls: type[Message]) -> None:
    """Reading the stored record of a newest version and writing it again gives the same bytes, but for optional fields since."""
    path = EVENTS / f"{named(cls)}.json"
    headers, value = opened(path)
    whole = json.loads(path.read_text())

    record = encode(whole["topic"], decode(headers, value))
    again = without_new(json.loads(record.value), json.loads(value))

    assert (record.headers, msgspec.json.encode(again), record.key.decode()) == (headers, value, whole["key"])


def without_new(again: Any, stored: Any) -> Any:
    """Return what was written again without the fields that the stored one does not know and that say nothing, at any depth."""
    if isinstance(again, dict) and isinstance(stored, dict):
        kept = {name: inner for name, inner in again.items() if name in stored or not (inner is False or inner in (None, [], {}))}
        return {name: without_new(inner, stored.get(name)) for name, inner in kept.items()}
    if isinstance(again, list) and isinstance(stored, list):
        return [without_new(*pair) for pair in zip(again, stored, strict=True)]
    return again


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_a_sample_is_read_as_it_was_written(cls: type[Message]) -> None:
    """Encoding and decoding lose nothing, with every field filled."""
    event = sample(cls)

    record = encode("a topic", event)

    assert decode(record.headers, record.value) == event


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_every_listed_event_has_its_golden_file(cls: type[Message]) -> None:
    """A new event or version comes with its file: `python -m tests.golden.store`."""
    assert (EVENTS / f"{named(cls)}.json").exists()


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_every_older_version_has_its_golden_file(cls: type[Message]) -> None:
    """No file goes away when a version is raised."""
    older = range(1, cls.event_type.version)

    assert [version for version in older if not (EVENTS / f"{stem(cls.event_type, version)}.json").exists()] == []


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_the_wire_has_not_moved_since_the_file_was_stored(cls: type[Message]) -> None:
    """Today's sample has the headers of the stored one: names, order and form are part of the contract."""
    whole = json.loads((EVENTS / f"{named(cls)}.json").read_text())

    assert list(whole["headers"]) == list(stored(cls)["headers"])


def test_what_was_published_is_kept() -> None:
    """What breaks a published schema needs a new version and an upcaster; type, version and field are named."""
    assert broken(published()) == []


def test_the_published_contract_is_the_present_one() -> None:
    """Schemas and AsyncAPI document are what the classes give; `python -m tests.golden.publish` writes them anew."""
    now = present()
    on_file = published()

    assert [name for name in now if on_file.get(name) != now[name]] == []


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_every_version_has_its_published_schema(cls: type[Message]) -> None:
    """No schema goes away when a version is raised: stored events, and producers that were written then, have it."""
    versions = range(1, cls.event_type.version + 1)

    assert [version for version in versions if f"smolit.{stem(cls.event_type, version)}.json" not in published()] == []
