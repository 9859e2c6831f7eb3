"""Every event ever stored is still read, and no schema changes in a way that breaks one."""

import json
from pathlib import Path

import pytest

from events.catalog import CATALOG
from events.event import Message
from events.schema import schema_of
from events.wire import decode, encode
from tests.golden.compatibility import changes
from tests.golden.sample import sample
from tests.golden.store import CLASSES, EVENTS, SCHEMAS, opened, stem, stored

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
    """Reading the stored record of a newest version and writing it again gives the same bytes."""
    path = EVENTS / f"{named(cls)}.json"
    headers, value = opened(path)
    whole = json.loads(path.read_text())

    record = encode(whole["topic"], decode(headers, value))

    assert (record.headers, record.value, record.key.decode()) == (headers, value, whole["key"])


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
    assert (SCHEMAS / f"{named(cls)}.json").exists()


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


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_no_schema_changes_without_a_new_version(cls: type[Message]) -> None:
    """What breaks needs a new version and an upcaster; what only adds is stored with `--additive`."""
    pinned = json.loads((SCHEMAS / f"{named(cls)}.json").read_text())

    found = changes(pinned, json.loads(json.dumps(schema_of(cls))))

    assert [f"{change.field} {change.what}" for change in found if change.kind == "breaking"] == []
    assert found == [], "only added to: run `python -m tests.golden.store --additive`"
