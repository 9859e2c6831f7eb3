"""What a client puts on the request topic."""

from datetime import UTC, datetime

import pytest

from events.event import Event
from events.ids import task_id
from events.request import CancelTask, GiveFeedback, SubmitTask
from events.topics import Names
from events.wire import decode
from smolit.client import Client, Origin, checked
from smolit.errors import UsageInvalid

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TASK = "0b0f1a2e-0000-5000-8000-000000000001"


def client(tenant: str = "default") -> Client:
    """Return a client that is connected to nothing."""
    return Client("nowhere:1", Origin(Names("test"), tenant, "here"), lambda: NOW, lambda count: b"\x01" * count)


def test_a_submission_is_a_cloud_event_keyed_by_its_own_id() -> None:
    """All partitions take their share, whatever the scope; who asks, when and what stands in the record."""
    record = client().record(SubmitTask(text="hello", scope="one"), "r1")

    event: Event[SubmitTask] = decode(record.headers, record.value)  # type: ignore[assignment]
    assert (record.topic, record.key) == ("test.requests.v1", b"r1")
    assert (event.id, event.envelope.source, event.envelope.time) == ("r1", "here", NOW)
    assert (event.fact.text, event.fact.scope) == ("hello", "one")


def test_what_is_about_a_task_is_keyed_by_it() -> None:
    """Feedback and cancellation of one task stay in order."""
    asks = (CancelTask(task_id=TASK), GiveFeedback(task_id=TASK, rater="me", value=1.0))

    assert {client().record(ask, "r").key for ask in asks} == {TASK.encode()}


def test_the_tenant_decides_the_topic() -> None:
    """Each tenant has a request topic of its own."""
    assert client("acme").record(SubmitTask(text="x"), "r").topic == "test.requests.acme.v1"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SubmitTask(text=""), "text"),
        (SubmitTask(text="x", priority=10), "priority"),
        (SubmitTask(text="x", kind="no spaces"), "kind"),
        (SubmitTask(text="x", deadline=datetime(2030, 1, 1)), "deadline"),
        (CancelTask(task_id="nonsense"), "task_id"),
        (GiveFeedback(task_id=TASK, rater="", value=1.0), "rater"),
        (GiveFeedback(task_id=TASK, rater="me", value=2.0), "value"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_sent(request_: SubmitTask, field: str) -> None:
    """A field out of its limits is named; nothing goes to Kafka."""
    with pytest.raises(UsageInvalid, match=field):
        checked(request_)


def test_the_task_of_a_request_is_known_before_it_exists() -> None:
    """The id of the task follows from tenant, source and request id alone."""
    assert client()._sent(SubmitTask(text="x"), "r1").task_id == task_id("default", "here", "r1")
    assert client()._sent(CancelTask(task_id=TASK), "r1").task_id is None
