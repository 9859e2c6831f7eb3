"""The contract for others: what it says to people, what it says to programs, and that it says it the same way twice."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import contract
from events.agent import AgentRegistered
from events.asyncapi import asyncapi
from events.catalog import FACTS, NOTICES, REQUESTS
from events.contract import DOCUMENT, files, older
from events.describe import described, in_words
from events.event import EventType, Message
from events.request import StartExperiment, SubmitTask
from events.topics import Names
from smolit.cli.app import run
from tests.golden.publish import present, published

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)
DOCUMENTED: dict[str, Any] = asyncapi(Names(), ["default", "acme"], "1.2.3")


def said(cls: type[Message]) -> dict[str, tuple[str, bool, str | None]]:
    """Return type, necessity and default of a class' fields, as people read them."""
    return {field.field: (field.type, field.required, field.default) for field in described(cls).fields}


def test_fields_are_told_in_words() -> None:
    """Types, limits and defaults stand beside the fields."""
    fields = said(SubmitTask)

    assert fields["text"] == ("text, not empty", True, None)
    assert fields["unit"] == ("text of 1 to 256 characters or null", False, "null")
    assert fields["priority"] == ("integer 0 to 9", False, "5")
    assert fields["deadline"] == ("time or null", False, "null")
    assert fields["scope"] == ("text of 1 to 128 characters like ^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$", False, '"default"')


def test_fields_deep_inside_are_told_by_their_path() -> None:
    """Whoever writes an object finds its fields below it."""
    assert said(AgentRegistered)["spec.timeout_s"] == ("number above 0 to 86400", False, "30.0")
    assert said(StartExperiment)["variants"][0] == "list of 2 to 16 Variant"
    assert said(StartExperiment)["variants[].policy"][1:] == (True, None)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.event_type.name)
def test_every_field_has_a_type_in_words(cls: type[Message]) -> None:
    """No kind of field is left without a word, and none keeps JSON Schema's."""
    fields = said(cls)

    assert {name.partition(".")[0] for name in fields if "." not in name} == set(cls.__struct_encode_fields__)
    assert [name for name, (kind, *_) in fields.items() if not kind or "(?!" in kind or "#/" in kind] == []


@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: cls.event_type.name)
def test_every_field_of_a_request_says_what_it_is(cls: type[Message]) -> None:
    """Whoever asks for something need not guess."""
    assert [field.field for field in described(cls).fields if not field.says] == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [({"type": "integer", "minimum": 1}, "integer from 1"), ({"type": "string", "maxLength": 9}, "text of up to 9 characters")],
)
def test_one_limit_is_told_alone(schema: dict[str, Any], words: str) -> None:
    """A limit on one side is no span."""
    assert in_words(schema) == words


def test_the_same_classes_give_the_same_bytes() -> None:
    """A difference between two exports is a change of the contract."""
    assert present() == present()


def test_the_document_has_every_topic_and_every_message() -> None:
    """Each tenant has its own request channel, each message one place or more where it travels."""
    channels = DOCUMENTED["channels"]
    travelling = {name for channel in channels.values() for name in channel["messages"]}

    assert {channel["address"] for channel in channels.values()} == {*Names().all(["default", "acme"]), "smolit.work.{pool}.v1"}
    assert channels["requests.acme"]["address"] == "smolit.requests.acme.v1"
    assert channels["tasks"]["bindings"]["kafka"]["partitions"] == 8
    assert travelling == {cls.event_type.wire_name for cls in CLASSES} == set(DOCUMENTED["components"]["messages"])
    assert "servers" not in DOCUMENTED


def test_the_document_is_written_from_outside() -> None:
    """An application sends requests and receives all else; a task is answered, and so is a refused request."""
    operations = DOCUMENTED["operations"]
    answers = {one["$ref"].rpartition("/")[2] for one in operations["send.requests.task.submit"]["reply"]["messages"]}

    assert {name.partition(".")[0] == operation["action"] for name, operation in operations.items()} == {True}
    assert len([name for name in operations if name.startswith("send.")]) == 2 * len(REQUESTS)
    assert answers == {"smolit.answer.given.v1", "smolit.request.refused.v1"}


def test_topics_have_the_names_that_somebody_set() -> None:
    """The document of an installation names its topics."""
    document = json.loads(files(Names("acme-prod"), ["default"], "1")[DOCUMENT])

    assert {channel["address"].partition(".")[0] for channel in document["channels"].values()} == {"acme-prod"}


def test_versions_that_were_replaced_stay_in_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the whole log, and who was written then, finds the schema of each version."""
    kind = msgspec.structs.replace(SubmitTask.event_type, version=3)
    monkeypatch.setattr(SubmitTask, "event_type", EventType(kind.name, kind.version, kind.topic, kind.key))
    on_file = {f"smolit.task.submit.v{version}.json": b"%d" % version for version in (1, 2, 3)} | {"other.json": b""}

    assert older(on_file) == {"smolit.task.submit.v1.json": b"1", "smolit.task.submit.v2.json": b"2"}


def test_the_contract_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`smolit events schema export` writes what was published, byte for byte."""
    assert run(["events", "schema", "export", str(tmp_path / "new"), "--json"]) == 0

    names = json.loads(capsys.readouterr().out)
    assert {name: (tmp_path / "new" / name).read_bytes() for name in names} == older(published()) | present()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the place of the folder is a mistake in what was typed."""
    (tmp_path / "taken").write_text("")

    assert run(["events", "schema", "export", str(tmp_path / "taken")]) == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_the_catalog_prints_one_type_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    """People get a heading, what the event says, and a table; programs get the same as JSON."""
    assert run(["events", "catalog", "smolit.task.submit.v1"]) == 0
    shown = capsys.readouterr().out
    assert run(["events", "catalog", "task.submit", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert run(["events", "catalog"]) == 0
    everything = capsys.readouterr().out

    assert shown.startswith("smolit.task.submit.v1  (version 1, topic requests, key any)\nDo this task.")
    assert "9 is done first, 0 last." in shown
    assert (one["type"], one["version"], one["topic"]) == ("smolit.task.submit.v1", 1, "requests")
    assert shown in everything
    assert [cls.event_type.wire_name for cls in CLASSES if f"{cls.event_type.wire_name}  (" not in everything] == []


def test_a_type_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name ends with 2."""
    assert run(["events", "catalog", "task.sumbit"]) == 2
    assert "no event is called 'task.sumbit'" in capsys.readouterr().err


def test_every_file_has_the_name_of_its_type() -> None:
    """A program finds the schema of a record by its `ce_type`."""
    assert set(present()) == {f"{cls.event_type.wire_name}.json" for cls in CLASSES} | {contract.DOCUMENT}
