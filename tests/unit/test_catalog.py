"""The table of contents: what is listed, and how old versions reach the newest."""

import re
from types import ModuleType
from typing import Any

import msgspec
import pytest

import events.request
import events.task
from events.catalog import CATALOG, FACTS, NOTICES, REQUESTS, UPCASTS, Catalog
from events.errors import MalformedPayload, MissingUpcaster, UnknownEventType, UnknownEventVersion
from events.event import Envelope, Event, Fact, Message, Payload, event, upcast
from events.request import Request
from events.schema import DIALECT, schema_of
from events.topics import REQUESTS as REQUEST_TOPIC
from events.topics import TASKS, TOPICS, WORK
from events.wire import decode, encode
from tests.golden.sample import NOW, TASK_ID

CLASSES: tuple[type[Message], ...] = (*REQUESTS, *FACTS, *NOTICES)


@event("feedback.sampled", version=3, topic=TASKS, key="task_id")
class Sampled(Fact, frozen=True, kw_only=True):
    """Feedback as of version 3: what was judged, and a value from 0 to 1."""

    task_id: str
    metric: str
    value: float


@upcast("feedback.sampled", from_version=1)
def stars_to_value(old: Payload) -> Payload:
    """Version 1 counted one to five stars."""
    return {key: old[key] for key in ("tenant", "task_id")} | {"value": (old["stars"] - 1) / 4}


@upcast("feedback.sampled", from_version=2)
def value_of_a_metric(old: Payload) -> Payload:
    """Version 2 knew one metric only."""
    return old | {"metric": "stars"}


LIFTING = Catalog([Sampled], [stars_to_value, value_of_a_metric])
GAPPED = Catalog([Sampled], [stars_to_value])


def record(version: int, **fields: Any) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return a stored record of one version."""
    envelope = Envelope(id=TASK_ID, source="s", subject=TASK_ID, time=NOW, correlation_id=TASK_ID, causation_id=TASK_ID)
    newest = encode("t", Event(envelope, Sampled(tenant="t", task_id=TASK_ID, metric="m", value=0.5)))
    headers = [(name, content.replace(b".v3", f".v{version}".encode())) for name, content in newest.headers]
    return headers, msgspec.json.encode({"tenant": "t", "task_id": TASK_ID} | fields)


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        (1, {"stars": 5}, ("stars", 1.0)),
        (2, {"value": 0.25}, ("stars", 0.25)),
        (3, {"metric": "tone", "value": 0.5}, ("tone", 0.5)),
    ],
)
def test_every_version_ever_written_reaches_the_newest(version: int, fields: dict[str, Any], expected: tuple[str, float]) -> None:
    """Consumers see one class, whatever is in the log."""
    fact = decode(*record(version, **fields), LIFTING).fact

    assert isinstance(fact, Sampled)
    assert (fact.metric, fact.value) == expected


def test_a_missing_step_is_named() -> None:
    """A gap in the upcasters is our mistake, and says which step is missing."""
    with pytest.raises(MissingUpcaster, match=r"^nothing lifts feedback.sampled from v2 to v3$"):
        decode(*record(1, stars=5), GAPPED)


def test_a_version_behind_the_gap_is_still_read() -> None:
    """Only what needs the missing step is refused."""
    assert decode(*record(3, metric="m", value=1), GAPPED).id == TASK_ID


@pytest.mark.parametrize("version", [0, 4])
def test_a_version_outside_ours_is_refused(version: int) -> None:
    """Neither older than the first nor newer than the newest is guessed at."""
    with pytest.raises(UnknownEventVersion, match=f"v{version} is unknown here; we know v1 to v3"):
        decode(*record(version, value=1), LIFTING)


@pytest.mark.parametrize("fields", [{}, {"stars": None}, {"stars": "five"}, {"stars": []}])
def test_an_old_payload_that_cannot_be_lifted_is_malformed(fields: dict[str, Any]) -> None:
    """An upcaster that stumbles over garbage is no crash."""
    with pytest.raises(MalformedPayload, match=r"^feedback.sampled: an old version that cannot be lifted"):
        decode(*record(1, **fields), LIFTING)


def test_a_lifted_payload_is_checked_like_a_new_one() -> None:
    """What an upcaster returns must fit the class."""
    with pytest.raises(MalformedPayload, match=r"Expected `float`, got `str` - at `\$\.value`"):
        decode(*record(2, value="much"), LIFTING)


def test_an_unknown_name_is_refused() -> None:
    """Nobody claims it."""
    with pytest.raises(UnknownEventType, match=r"^no event is called 'feedback.sampled'$"):
        decode(*record(3), CATALOG)


def test_two_classes_may_not_share_a_name() -> None:
    """A stored name has one owner."""
    with pytest.raises(ValueError, match="share a name"):
        Catalog([Sampled, Sampled])


def test_two_upcasters_may_not_share_a_step() -> None:
    """A version is lifted in one way only."""
    with pytest.raises(ValueError, match="share"):
        Catalog([Sampled], [stars_to_value, stars_to_value])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_listed_event_is_declared_in_full(cls: type[Message]) -> None:
    """Name and version fit the wire, the key is a field or property, the topic is one of ours, the docstring exists."""
    kind = cls.event_type

    assert re.fullmatch(r"smolit\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]*", kind.wire_name)
    assert hasattr(cls, kind.key)
    assert kind.topic in (*TOPICS, WORK)
    assert (cls.__doc__ or "").strip()
    assert CATALOG.newest(kind.name) is cls


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_older_version_can_be_lifted(cls: type[Message]) -> None:
    """Whoever raises a version writes the upcaster."""
    for version in range(1, cls.event_type.version + 1):
        assert len(CATALOG.steps(cls.event_type, version)) == cls.event_type.version - version


def test_every_upcast_serves_a_listed_event() -> None:
    """No upcaster outlives its class."""
    assert [step for step in UPCASTS if step.from_version >= CATALOG.newest(step.name).event_type.version] == []


def test_every_declared_event_is_listed() -> None:
    """Declaring is not enough: whoever forgets the list is told."""
    declared = _leaves(Message) - {Sampled}

    assert {cls for cls in declared if cls.__module__.startswith("events.")} == set(CLASSES)


@pytest.mark.parametrize("door", [events.request, events.task], ids=lambda door: door.__name__)
def test_a_door_shows_every_event_behind_it(door: ModuleType) -> None:
    """Whoever imports from the package need not know which module of it an event is in, and nothing stands there in vain."""
    behind = {cls.__name__ for cls in CLASSES if cls.__module__.startswith(f"{door.__name__}.")}

    assert behind
    assert behind <= set(door.__all__)
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def _leaves(cls: type[Message]) -> set[type[Message]]:
    """Return the declared classes below a class."""
    below = set().union(*(_leaves(child) for child in cls.__subclasses__()))
    return below | ({cls} if "event_type" in vars(cls) else set())


def test_requests_come_in_on_the_request_topic_alone() -> None:
    """And nothing else does."""
    assert {cls for cls in CLASSES if cls.event_type.topic == REQUEST_TOPIC} == set(REQUESTS)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_event_has_a_json_schema(cls: type[Message]) -> None:
    """Producers in other languages get the fields, their types and which are required."""
    schema = schema_of(cls)

    assert (schema["$schema"], schema["$id"], schema["type"]) == (DIALECT, cls.event_type.schema_id, "object")
    assert list(schema["properties"]) == list(cls.__struct_encode_fields__)
    assert ("additionalProperties" in schema) == issubclass(cls, Request)
    assert all(f"#/$defs/{name}" in str(schema) for name in schema.get("$defs", {}))
