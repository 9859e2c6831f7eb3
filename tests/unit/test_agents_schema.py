"""What agents promise about what they take and bring: schemas that are sound, and kept."""

from typing import Any

import pytest

from agents.contract import accepted, admitted
from agents.errors import AgentFailed
from agents.pipeline import Result
from agents.schema import faults_of, misfit
from events.task import Step
from tests.builders import spec

INVOICE = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0}, "lines": {"type": "array"}},
}


def test_a_sound_schema_has_no_fault_and_another_is_told_by_its_place() -> None:
    """A type that does not exist is found where it stands."""
    assert faults_of(INVOICE) == []
    (fault,) = faults_of({"properties": {"total": {"type": "amount"}}})
    assert fault.path == ".properties.total.type"


def test_a_schema_that_refers_elsewhere_is_refused_and_fetches_nothing() -> None:
    """Nothing outside a schema is followed, whether it is linted or used."""
    elsewhere = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}

    assert [fault.path for fault in faults_of(elsewhere)] == [".properties.a.$ref"]
    assert "cannot be followed" in (misfit(elsewhere, {"a": 1}) or "")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"total": 3}, None),
        ({"total": 3, "more": (1, 2)}, None),
        ({"total": 3, "lines": (1, 2)}, None),
        ({"total": -1}, "$.total"),
        ({}, "$: 'total'"),
        ("text", "$: 'text'"),
        ({"total": object()}, "JSON cannot hold it"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(value: Any, told: str | None) -> None:
    """The first misfit is told; what fits is passed over in silence."""
    found = misfit(INVOICE, value)

    assert (found is None) == (told is None)
    assert found is None or (told or "") in found


def test_work_that_does_not_fit_the_agents_input_is_refused_before_it_runs() -> None:
    """The reason is `bad_input`; an agent without a schema takes anything."""
    agent = spec("a", inputs=INVOICE)

    admitted(agent, {"total": 1})
    admitted(spec("a"), {"anything": None})
    with pytest.raises(AgentFailed) as failure:
        admitted(agent, {"total": "much"})

    assert failure.value.reason == "bad_input"
    assert "$.total" in failure.value.detail


def test_an_output_that_does_not_fit_is_no_result() -> None:
    """The reason is `bad_output`, and what was done stands beside it."""
    agent, steps = spec("a", outputs=INVOICE), (Step("model", 5, model="m"),)

    assert accepted(agent, Result({"total": 1.5}, steps)).output == {"total": 1.5}
    with pytest.raises(AgentFailed) as failure:
        accepted(agent, Result({"total": None}, steps))

    assert (failure.value.reason, failure.value.steps) == ("bad_output", steps)
