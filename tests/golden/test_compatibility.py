"""The guard itself: each way to break a schema is found and named, and growth is told apart from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct, defstruct

from events.contract import file_name
from events.event import Message, event
from events.request import ChangeAgent, SubmitTask
from events.schema import schema_of
from events.task import TaskEnded
from events.topics import TASKS
from tests.golden import publish, store
from tests.golden.compatibility import breaking, changes
from tests.golden.publish import broken


class Inner(Struct, forbid_unknown_fields=True):
    """A struct in a field."""

    depth: int


class Deeper(Struct, forbid_unknown_fields=True):
    """The same, with one more required field."""

    depth: int
    height: int


def schema(**fields: Any) -> dict[str, Any]:
    """Return the schema of a message with these fields; a tuple gives a type and its default."""
    plain = [(name, *kind) if isinstance(kind, tuple) else (name, kind) for name, kind in fields.items()]
    cls = defstruct("Sample", plain, bases=(Message,), frozen=True, kw_only=True, forbid_unknown_fields=True)
    return schema_of(event("sample.made", version=1, topic=TASKS, key="a")(cls))


BASE: dict[str, Any] = {"a": str, "b": (int | None, None)}
NARROWER = {
    "removed field": ({"a": str}, "$.b was removed"),
    "new required field": (BASE | {"c": str}, "$.c is new and required"),
    "changed type": (BASE | {"a": int}, "$.a changed its type from 'string' to 'integer'"),
    "one type less": (BASE | {"b": (int, 0)}, "$.b is no longer null"),
    "became required": (BASE | {"b": int | None}, "$.b became required"),
    "other default": (BASE | {"b": (int | None, 5)}, "$.b has another default"),
    "a limit": (BASE | {"a": Annotated[str, Meta(max_length=5)]}, "$.a changed its maxLength from None to 5"),
    "a pattern": (BASE | {"a": Annotated[str, Meta(pattern="^x$")]}, "$.a changed its pattern from None to '^x$'"),
    "a choice": (BASE | {"a": Literal["x", "y"]}, "$.a is now one of ['x', 'y']"),
}
WIDER = {
    "one type more": (BASE | {"b": (int | str | None, None)}, "$.b may also be string"),
    "became optional": (BASE | {"a": (str, "x")}, "$.a became optional"),
}


@pytest.mark.parametrize(("fields", "said"), NARROWER.values(), ids=list(NARROWER))
def test_a_breaking_change_is_named(fields: dict[str, Any], said: str) -> None:
    """Whoever breaks stored events is told which field does it."""
    found = changes(schema(**BASE), schema(**fields))

    assert said in [f"{change.field} {change.what}" for change in found if change.kind == "narrower"]


@pytest.mark.parametrize(("fields", "said"), WIDER.values(), ids=list(WIDER))
def test_a_wider_schema_is_told_apart(fields: dict[str, Any], said: str) -> None:
    """What others may write more freely breaks nothing; what we write more freely breaks those who read it."""
    found = changes(schema(**BASE), schema(**fields))

    assert ("wider", said) in [(change.kind, f"{change.field} {change.what}") for change in found]
    assert said in [f"{change.field} {change.what}" for change in breaking(schema(**BASE), schema(**fields), ours=True)]


def test_an_optional_field_that_is_new_breaks_nothing() -> None:
    """It is no reason for a new version, whoever writes it."""
    old, new = schema(**BASE), schema(**BASE, c=(str | None, None))

    assert [(change.kind, change.field, change.what) for change in changes(old, new)] == [("added", "$.c", "is new")]
    assert breaking(old, new, ours=True) == []


def test_the_same_schema_has_no_changes() -> None:
    """Nothing is reported where nothing happened."""
    assert changes(schema(**BASE), schema(**BASE)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [(Inner, Deeper), (list[Inner], list[Deeper]), (dict[str, Inner], dict[str, Deeper]), (Inner | None, Deeper | None)],
    ids=["struct", "list", "mapping", "optional"],
)
def test_changes_deep_inside_are_found(old: Any, new: Any) -> None:
    """A nested struct is part of the contract, wherever it lies."""
    found = changes(schema(a=old), schema(a=new))

    assert [change.kind for change in found if "height" in change.field or "longer" in change.what] == ["narrower"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (Literal["x", "y"], Literal["x"], "narrower"),
        (Literal["x"], Literal["x", "y"], "wider"),
        (Literal["x"], str, "wider"),
        (Literal["x"], int, "narrower"),
    ],
)
def test_a_narrower_choice_breaks_and_a_wider_one_adds(old: Any, new: Any, kind: str) -> None:
    """Stored events may hold any value that was ever allowed."""
    assert [change.kind for change in changes(schema(a=old), schema(a=new))] == [kind]


@pytest.mark.parametrize(("was", "now", "kind"), [(5, 9, "narrower"), (9, 5, "wider")])
def test_a_tighter_limit_breaks_and_a_looser_one_adds(was: int, now: int, kind: str) -> None:
    """A lower bound that rises refuses what was stored below it."""
    old, new = (schema(a=Annotated[int, Meta(ge=bound)]) for bound in (was, now))

    assert [change.kind for change in changes(old, new)] == [kind]


def planted(cls: type[Message], spoil: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
    """Return the schema of a class as if it had been published with something else in it."""
    schema = schema_of(cls)
    spoil(schema)
    return {file_name(cls): json.dumps(schema).encode()}


PROMISES: dict[str, tuple[type[Message], Callable[[dict[str, Any]], object], list[str]]] = {
    "request: a field is gone": (
        SubmitTask,
        lambda schema: schema["properties"].update(hurry={"type": "boolean"}),
        ["smolit.task.submit.v1: $.hurry was removed"],
    ),
    "request: a field is new and required": (
        SubmitTask,
        lambda schema: (schema["properties"].pop("text"), schema["required"].remove("text")),
        ["smolit.task.submit.v1: $.text is new and required"],
    ),
    "request: a type changed": (
        SubmitTask,
        lambda schema: schema["properties"]["priority"].update(type="string"),
        ["smolit.task.submit.v1: $.priority changed its type from 'string' to 'integer'"],
    ),
    "request: a value is no longer accepted": (
        ChangeAgent,
        lambda schema: schema["properties"]["change"]["enum"].append("clone"),
        ["smolit.agent.change.v1: $.change no longer allows 'clone'"],
    ),
    "request: more is accepted": (ChangeAgent, lambda schema: schema["properties"]["change"]["enum"].remove("retire"), []),
    "request: an optional field is new": (SubmitTask, lambda schema: schema["properties"].pop("unit"), []),
    "fact: a value that readers do not know": (
        TaskEnded,
        lambda schema: schema["properties"]["outcome"]["enum"].remove("expired"),
        ["smolit.task.ended.v1: $.outcome also allows 'expired'"],
    ),
    "fact: null where readers counted on a text": (
        TaskEnded,
        lambda schema: schema["properties"]["agent"].update(anyOf=[{"type": "string"}]),
        ["smolit.task.ended.v1: $.agent may also be null"],
    ),
    "fact: a field that readers counted on became optional": (
        TaskEnded,
        lambda schema: schema["required"].append("reason"),
        ["smolit.task.ended.v1: $.reason became optional"],
    ),
    "fact: an optional field is new": (TaskEnded, lambda schema: schema["properties"].pop("detail"), []),
    "fact: deep inside": (
        TaskEnded,
        lambda schema: schema["$defs"]["LeftOut"]["properties"].update(rank={"type": "integer"}),
        ["smolit.task.ended.v1: $.left_out[].rank was removed"],
    ),
}


@pytest.mark.parametrize(("cls", "spoil", "said"), PROMISES.values(), ids=list(PROMISES))
def test_a_broken_promise_is_named(cls: type[Message], spoil: Callable[[dict[str, Any]], object], said: list[str]) -> None:
    """Type, version and field are told; requests may accept more, facts may only have more optional fields."""
    assert broken(planted(cls, spoil)) == said


def test_a_type_or_version_that_is_gone_is_named() -> None:
    """What was published once is there for ever."""
    gone = broken({"smolit.task.dreamt.v1.json": b"{}", "smolit.task.submit.v2.json": b"{}"})

    assert gone == [
        "smolit.task.dreamt.v1: was published, and no class has the name any more",
        "smolit.task.submit.v2: was published, and the class is of version 1",
    ]


def test_nothing_is_published_over_a_broken_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that renews the contract says which field it is, and leaves everything as it was."""
    promised = planted(*PROMISES["request: a field is gone"][:2])
    for name, content in promised.items():
        (tmp_path / name).write_bytes(content)

    assert publish.main(tmp_path) == 1
    assert "smolit.task.submit.v1: $.hurry was removed" in capsys.readouterr().out
    assert publish.published(tmp_path) == promised


def test_growth_is_published(tmp_path: Path) -> None:
    """An optional field that is new is written by one command."""
    promised = planted(*PROMISES["request: an optional field is new"][:2])
    for name, content in promised.items():
        (tmp_path / name).write_bytes(content)

    assert publish.main(tmp_path) == 0
    assert publish.published(tmp_path) == publish.present()


def test_the_store_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored event stays as it is, byte for byte."""
    monkeypatch.setattr(store, "EVENTS", tmp_path)
    store.main()
    golden = tmp_path / "task.submit.v1.json"
    golden.write_text("kept")

    store.main()

    assert golden.read_text() == "kept"
