"""The harness's checks of plans: a plan as it should be has no flaw, and each thing that can be wrong with one is found."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agents.team.advance import advance
from agents.team.standing import Standing, brief_of, heard
from events.event import Event, Fact
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR, Plan, PlanEnded, PlanMade, PlanStepEnded, PlanStepStarted
from events.task import TaskSubmitted
from handlers.team_facts import facts
from smolit.chaos.check import team
from smolit.chaos.check.evidence import Evidence, sort_log
from smolit.chaos.provider import Line
from smolit.chaos.script import PLAN, TEAM
from tests.builders import NAMES, TASK, TENANT, Log, attempt_ended, chosen, ended, stamped, submitted

Story = list[Event[Fact]]
OTHER = "0b0f1a2e-0000-5000-8000-000000000009"


def story() -> Story:
    """Return a plan of the harness from its task to its end, as the real supervisor tells it; parts end one after the other."""
    plan = msgspec.convert(dict(PLAN), Plan)
    own = submitted(kind=TEAM, text="job 1")
    made = stamped(
        PlanMade(
            tenant=TENANT, task_id=TASK, attempt=1, agent="supervisor-a", plan=plan, made_by="given", why="x", depth=1,
            root_id=TASK,
        ),
        2,
    )  # fmt: skip
    standing = Standing(
        brief_of(_task(own), 1, "supervisor-a", "job 1", made.envelope.time), plan, "given", "x", 1, TASK, made.envelope.time
    )
    told, outputs, at = [own, made], {}, 3.0
    moved = advance(standing, {})
    while moved.starts or moved.ended:
        told += [stamped(fact, at) for fact in facts(moved, outputs)]
        for start in moved.starts:
            told.append(_part(start.fact, start.text, at))
        open_task = next(iter(moved.standing.open_tasks), None)
        if open_task is None:
            break
        outputs = {**outputs, open_task: {"sha256": f"digest of {open_task}", "receipt": int(at)}}
        standing = moved.standing
        for event in _done(open_task, outputs[open_task], at + 1):
            told.append(event)
            standing = heard(standing, open_task, event.fact)  # type: ignore[arg-type]
        moved, at = advance(standing, outputs), at + 5
    return told


def _task(event: Event[Fact]) -> TaskSubmitted:
    assert isinstance(event.fact, TaskSubmitted)
    return event.fact


def _part(fact: PlanStepStarted, text: str, at: float) -> Event[Fact]:
    """Return the task that a step asks for, as intake makes it of the supervisor's request."""
    request = stamped(fact, at).id
    task = task_id_of(TENANT, SUPERVISOR, request)
    return submitted(task, at, request_id=request, requested_by=SUPERVISOR, kind=fact.kind, text=text)


def _done(task: str, output: Any, at: float) -> Story:
    return [
        chosen("hash-10", task, 1, at),
        attempt_ended("completed", "hash-10", task, 1, at + 1, output=output),
        ended("completed", task, at + 2, agent="hash-10"),
    ]


def told(events: Sequence[Event[Fact]], **parts: Any) -> list[str]:
    """Return what is found in a log, in words."""
    return [one.what for one in team.amiss(_evidence(events, **parts))]


def _evidence(events: Sequence[Event[Fact]], once: Sequence[Line] = (), settled: bool = True) -> Evidence:
    return Evidence(log=sort_log(NAMES, Log().add(*events).records), history=(), once=once, plain=(), settled=settled)


def parts_in(events: Story) -> list[TaskSubmitted]:
    """Return the parts that were asked for."""
    return [one.fact for one in events if isinstance(one.fact, TaskSubmitted) and one.fact.requested_by == SUPERVISOR]


def test_a_plan_as_it_should_be_has_no_flaw() -> None:
    """Four steps, each asked for once, and all follows from the log."""
    whole = story()
    once = [Line("applied", part.task_id, "k") for part in parts_in(whole)]

    assert [type(one.fact) for one in whole][-1] is PlanEnded
    assert team.counted(_evidence(whole)) == {"plans": 1, "plan_steps": 4}
    assert told(whole, once=once) == []


def test_a_step_that_is_asked_for_again_under_another_id_is_found() -> None:
    """By the id, which no plan knows, by the step's text, and by the provider, if it did the work."""
    whole = story()
    part = parts_in(whole)[1]
    again = stamped(replace(part, task_id=OTHER, request_id="drawn"), 50)
    once = [Line("applied", part.task_id, "k"), Line("applied", OTHER, "k2")]

    assert told([*whole, again], once=once) == [
        "a step was asked for under an id that no plan knows",
        "a step was asked for twice",
        "the provider did the work of one step twice",
    ]


@pytest.mark.parametrize(("settled", "found"), [(True, ["a plan is not complete"]), (False, [])])
def test_a_plan_without_an_end_is_a_flaw_once_all_is_still(settled: bool, found: list[str]) -> None:
    """Before that it is only under way."""
    begun = [one for one in story() if not isinstance(one.fact, PlanStepEnded | PlanEnded)][:5]

    assert [what for what in told(begun, settled=settled) if "complete" in what] == found


def test_a_fact_that_does_not_follow_from_the_log_is_found() -> None:
    """Here the end of a step says that it cost something."""
    changed = [
        stamped(replace(one.fact, cost_microusd=7), 9) if isinstance(one.fact, PlanStepEnded) and one.fact.step == "b" else one
        for one in story()
    ]

    assert told(changed) == ["a plan does not follow from the log"]
