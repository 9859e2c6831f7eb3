"""The guard itself: each way to break a schema is found and named, and growth is told apart from it."""

import json
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct, defstruct

from events.event import Message, event
from events.schema import schema_of
from events.topics import TASKS
from tests.golden import store
from tests.golden.compatibility import changes


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
BREAKING = {
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
ADDITIVE = {
    "new optional field": (BASE | {"c": (str | None, None)}, "$.c is new"),
    "one type more": (BASE | {"b": (int | str | None, None)}, "$.b may also be string"),
    "became optional": (BASE | {"a": (str, "x")}, "$.a became optional"),
}


@pytest.mark.parametrize(("fields", "said"), BREAKING.values(), ids=list(BREAKING))
def test_a_breaking_change_is_named(fields: dict[str, Any], said: str) -> None:
    """Whoever breaks stored events is told which field does it."""
    found = changes(schema(**BASE), schema(**fields))

    assert said in [f"{change.field} {change.what}" for change in found if change.kind == "breaking"]


@pytest.mark.parametrize(("fields", "said"), list(ADDITIVE.values())[:2], ids=list(ADDITIVE)[:2])
def test_growth_is_told_apart(fields: dict[str, Any], said: str) -> None:
    """What only adds is no reason for a new version."""
    found = changes(schema(**BASE), schema(**fields))

    assert [(change.kind, f"{change.field} {change.what}") for change in found] == [("additive", said)]


def test_a_field_that_became_optional_shows_its_new_default() -> None:
    """Old events carry the field, so the only thing to see is that its default is new."""
    fields, said = ADDITIVE["became optional"]

    assert said in [f"{change.field} {change.what}" for change in changes(schema(**BASE), schema(**fields))]


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

    assert [change.kind for change in found if "height" in change.field or "longer" in change.what] == ["breaking"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (Literal["x", "y"], Literal["x"], "breaking"),
        (Literal["x"], Literal["x", "y"], "additive"),
        (Literal["x"], str, "additive"),
        (Literal["x"], int, "breaking"),
    ],
)
def test_a_narrower_choice_breaks_and_a_wider_one_adds(old: Any, new: Any, kind: str) -> None:
    """Stored events may hold any value that was ever allowed."""
    assert [change.kind for change in changes(schema(a=old), schema(a=new))] == [kind]


@pytest.mark.parametrize(("was", "now", "kind"), [(5, 9, "breaking"), (9, 5, "additive")])
def test_a_tighter_limit_breaks_and_a_looser_one_adds(was: int, now: int, kind: str) -> None:
    """A lower bound that rises refuses what was stored below it."""
    old, new = (schema(a=Annotated[int, Meta(ge=bound)]) for bound in (was, now))

    assert [change.kind for change in changes(old, new)] == [kind]


def test_the_store_never_overwrites(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored event stays as it is, byte for byte, and a schema that would break is refused with a word."""
    monkeypatch.setattr(store, "EVENTS", tmp_path / "events")
    monkeypatch.setattr(store, "SCHEMAS", tmp_path / "schemas")
    (tmp_path / "events").mkdir()
    (tmp_path / "schemas").mkdir()
    assert store.main([]) == 0
    golden = tmp_path / "events" / "task.submit.v1.json"
    pinned = tmp_path / "schemas" / "task.submit.v1.json"
    golden.write_text("kept")
    wider = json.loads(pinned.read_text())
    wider["properties"]["once"] = {"type": "string"}
    pinned.write_text(json.dumps(wider))

    assert store.main(["--additive"]) == 1
    assert golden.read_text() == "kept"
    assert json.loads(pinned.read_text()) == wider


def test_growth_is_stored_when_asked_for(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An added field reaches the pinned schema with `--additive` only."""
    monkeypatch.setattr(store, "EVENTS", tmp_path)
    monkeypatch.setattr(store, "SCHEMAS", tmp_path / "schemas")
    (tmp_path / "schemas").mkdir()
    store.main([])
    pinned = tmp_path / "schemas" / "task.submit.v1.json"
    whole = pinned.read_text()
    narrower = json.loads(whole)
    del narrower["properties"]["priority"]
    pinned.write_text(json.dumps(narrower))

    assert store.main([]) == 0
    assert json.loads(pinned.read_text()) == narrower
    assert store.main(["--additive"]) == 0
    assert pinned.read_text() == whole
