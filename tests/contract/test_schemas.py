"""The exported JSON Schemas, by an independent validator: valid themselves, true of every stored event, and no mere shells."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from events.asyncapi import headers_of
from events.catalog import CATALOG
from events.contract import DOCUMENT
from events.request import Request
from tests.golden.publish import published
from tests.golden.store import EVENTS

PUBLISHED: dict[str, Any] = {name.removesuffix(".json"): json.loads(content) for name, content in published().items()}
ASYNCAPI = PUBLISHED.pop(DOCUMENT.removesuffix(".json"))
STORED = sorted(EVENTS.glob("*.json"))
Damage = tuple[str, Callable[[dict[str, Any]], object]]


DOCUMENTED = [path for path in STORED if f"smolit.{path.stem}" in ASYNCAPI["components"]["schemas"]]


def golden(path: Path) -> tuple[str, dict[str, str], Any]:
    """Return type, headers and data of a stored event."""
    whole = json.loads(path.read_text())
    return f"smolit.{path.stem}", whole["headers"], json.loads(whole["value"])


def of(wire_name: str) -> Draft202012Validator:
    """Return the validator of a published schema."""
    return Draft202012Validator(PUBLISHED[wire_name], format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("wire_name", PUBLISHED)
def test_every_schema_is_one(wire_name: str) -> None:
    """Each file is what draft 2020-12 calls a schema."""
    Draft202012Validator.check_schema(PUBLISHED[wire_name])

    assert PUBLISHED[wire_name]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert PUBLISHED[wire_name]["title"]
    assert PUBLISHED[wire_name]["description"]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_every_stored_event_fits_the_schema_of_its_version(path: Path) -> None:
    """What was ever written is what its schema says."""
    wire_name, _, data = golden(path)

    of(wire_name).validate(data)


def test_the_document_has_every_newest_version() -> None:
    """The AsyncAPI document leaves out what newer versions have replaced, and nothing else."""
    newest = {f"{name}.v{CATALOG.newest(name).event_type.version}" for name in (path.stem.rpartition(".v")[0] for path in STORED)}

    assert {path.stem for path in DOCUMENTED} == newest


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_every_stored_event_of_a_newest_version_fits_the_document(path: Path) -> None:
    """The AsyncAPI document says the same as the files, and what the headers are."""
    wire_name, headers, data = golden(path)
    in_document = {"$ref": f"#/components/schemas/{wire_name}", "components": ASYNCAPI["components"]}

    Draft7Validator(in_document).validate(data)
    jsonschema.validate(headers, headers_of(CATALOG.newest(path.stem.rpartition(".v")[0])))


def damages(schema: dict[str, Any], data: dict[str, Any]) -> Iterator[Damage]:
    """Yield ways to spoil an event: each required field missing, and each field that has a type of the wrong one."""
    for name in schema["required"]:
        yield f"without {name}", lambda spoilt, name=name: spoilt.pop(name)
    for name in data:
        field = schema["properties"][name]
        if field.keys() & {"type", "enum", "anyOf", "$ref"}:
            wrong = [[]] if field.get("type") in (None, "string", "number", "integer", "boolean", "object") else {}
            yield f"{name} of another type", lambda spoilt, name=name, wrong=wrong: spoilt.update({name: wrong})


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_no_damaged_event_fits(path: Path) -> None:
    """A field that is missing, or of another type, is found: in every event, in every field."""
    wire_name, _, data = golden(path)
    in_document = {"$ref": f"#/components/schemas/{wire_name}", "components": ASYNCAPI["components"]}
    schemas = [of(wire_name), *([Draft7Validator(in_document)] if path in DOCUMENTED else [])]
    fitting = []
    for said, spoil in damages(PUBLISHED[wire_name], data):
        spoilt = json.loads(json.dumps(data))
        spoil(spoilt)
        if any(schema.is_valid(spoilt) for schema in schemas):
            fitting.append(said)

    assert fitting == []


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_an_unknown_field_is_refused_in_requests_alone(path: Path) -> None:
    """As intake does; readers of facts pass over what a later release may add."""
    wire_name, _, data = golden(path)
    asked = issubclass(CATALOG.newest(path.stem.rpartition(".v")[0]), Request)

    assert of(wire_name).is_valid(data | {"no_such_field": 1}) != asked


@pytest.mark.parametrize(
    ("field", "value"), [("priority", 10), ("text", ""), ("kind", "two words"), ("scope", "line\n"), ("deadline", 5)]
)
def test_limits_are_in_the_schema(field: str, value: object) -> None:
    """What intake refuses for its content is refused by the schema, too."""
    data = {"text": "1 + 1", field: value}

    assert not of("smolit.task.submit.v1").is_valid(data)
