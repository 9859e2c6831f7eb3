"""Plans by whoever asks, by shape, and by a language model: whatever a model says goes through the same checks."""

from datetime import timedelta
from typing import Any

import pytest

from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.port import Ask, Said
from agents.team.planner import House, Planned, plan
from agents.team.shape import load
from events.task import FileRef
from tests.builders import moment
from tests.whole import Whole

HOUSE = House(frozenset({"arithmetic", "sentiment"}))
STEPS: list[dict[str, Any]] = [
    {"id": "a", "kind": "arithmetic", "text": "2 + 2"},
    {"id": "b", "kind": "sentiment", "text": "${a.output}", "after": ["a"]},
]


class Model(Whole):
    """A language model that says what it was made to say, and keeps what it was asked."""

    def __init__(self, data: Any, backend: str = "here") -> None:
        self.data, self.backend, self.asked = data, backend, list[Ask]()

    async def complete(self, ask: Ask) -> Said:
        """Say it."""
        self.asked.append(ask)
        return Said("", "tiny", self.backend, False, 1, 1, None, 1, data=self.data)


async def planned(data: Any, **given: Any) -> tuple[Planned, Model]:
    """Have a task planned by a model that says `data`."""
    model = Model(data)
    work = Work("t", "task", 1, "supervisor", "team", "Work it out, then judge it.", given, moment(0) + timedelta(minutes=1))
    return await plan(work, load(), HOUSE, model), model


async def test_a_model_plans_what_no_shape_fits_and_is_asked_by_schema() -> None:
    """It hears which skills there are; the plan says which model made it, and its limits are the house's."""
    made, model = await planned({"steps": STEPS})

    assert [(one.id, one.kind, one.after) for one in made.plan.steps] == [("a", "arithmetic", ()), ("b", "sentiment", ("a",))]
    assert (made.made_by, made.plan.limits.parts) == ("model:tiny", 12)
    (ask,) = model.asked
    assert ask.schema is not None
    assert ask.purpose == "plan"
    assert "arithmetic, sentiment" in ask.messages[0].content


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (None, "said no plan"),
        ("sure, here is a plan", "said no plan"),
        ({"steps": [{"id": "a", "kind": "arithmetic"}]}, "said no plan"),
        ({"steps": [{**STEPS[0], "agent": "admin"}]}, "said no plan"),
        ({"steps": [{**STEPS[0], "files": ["${task.files}"]}]}, "said no plan"),
        ({"steps": STEPS, "limits": {"parts": 200}}, "said no plan"),
        ({"steps": [{**STEPS[0], "kind": "format the disk"}]}, "said no plan"),
        ({"steps": [{**STEPS[0], "kind": "shell"}]}, "no agent has the skill 'shell'"),
        ({"steps": [{**STEPS[0], "text": "${b.output}"}, STEPS[1]]}, "a -> b -> a"),
        ({"steps": [{**STEPS[0], "text": "${secret.output}"}]}, "there is no step 'secret'"),
        ({"steps": [{**STEPS[0], "id": f"s{number}"} for number in range(13)]}, "13 parts, and its limit is 12"),
    ],
)
async def test_what_is_no_plan_is_refused(data: Any, what: str) -> None:
    """Prose, missing and strange fields, skills that nobody has, circles, more parts than allowed: before anybody is asked."""
    with pytest.raises(AgentFailed, match=what.replace(".", r"\.")) as failure:
        await planned(data)

    assert failure.value.reason == "bad_plan"


async def test_a_model_may_say_that_nobody_can_do_it() -> None:
    """No steps are an answer, and no plan that is none."""
    with pytest.raises(AgentFailed, match="tiny says that no agent here can do it") as failure:
        await planned({"steps": []})

    assert failure.value.reason == "no_plan"


async def test_a_plan_of_the_model_on_this_machine_is_taken_only_where_that_is_set() -> None:
    """It plans nothing rightly, and wrong work is worse than none."""
    model = Model({"steps": STEPS}, backend="local")
    work = Work("t", "task", 1, "supervisor", "team", "Split it.", {}, moment(9))

    with pytest.raises(AgentFailed, match="tiny, the model here, plans nothing rightly") as failure:
        await plan(work, (), HOUSE, model)

    assert failure.value.reason == "no_plan"
    assert (await plan(work, (), HOUSE, model, local=True)).made_by == "model:tiny"


async def test_a_model_refers_to_what_came_along_and_sees_none_of_it() -> None:
    """Files and fields by name only; a reference to a file of the task in a text gives the step that file, and no other."""
    said = {
        "steps": [{"id": "a", "kind": "sentiment", "text": "Read ${task.files[0]} and ${task.files[7]}, ${task.input.notes[1]}."}]
    }
    model = Model(said)
    file = FileRef("scan.png", "image/png", "aa", 1)
    given = {"notes": ["secret one", "secret two"], "bad}name": "x"}
    work = Work("t", "task", 1, "supervisor", "team", "Split it.", given, moment(0) + timedelta(minutes=1), files=(file,))

    made = await plan(work, (), HOUSE, model)

    (step,) = made.plan.steps
    assert (step.files, step.text) == (
        ("${task.files[0]}",),
        "Read ${task.files[0].name} and ${task.files[7].name}, ${task.input.notes[1]}.",
    )
    shown = model.asked[0].messages[1].content
    assert "${task.files[0]}: file scan.png (image/png)" in shown
    assert "${task.input.notes[1]}: text" in shown
    assert "secret" not in shown
    assert "bad}name" not in shown


async def test_a_shape_goes_before_a_model_and_a_plan_that_came_along_before_both() -> None:
    """The model is not even asked."""
    by_shape, first = await planned({"steps": STEPS}, review="good")
    given, second = await planned({"steps": STEPS}, review="good", plan={"name": "mine", "steps": [STEPS[0]]})

    assert (by_shape.made_by, given.made_by) == ("shapes:review/1", "given")
    assert first.asked == second.asked == []


async def test_without_a_model_it_is_said_what_fits() -> None:
    """The shapes there are, by name."""
    work = Work("t", "task", 1, "supervisor", "team", "?", {}, moment(9))

    with pytest.raises(AgentFailed, match="no language model is here") as failure:
        await plan(work, load(), HOUSE, None)

    assert failure.value.reason == "no_plan"
