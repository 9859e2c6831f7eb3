"""Splitting on a real Postgres: plan and rest of an attempt are one transaction, and the supervisor moves it on, once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from agents.team.splitting import Splitting
from events.event import Event, Fact
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR, Plan, PlanEnded, PlanLimits, PlanMade, PlanStep, PlanStepEnded, PlanStepStarted
from events.request import CancelTask, SubmitTask
from events.task import AttemptEnded, TaskEnded
from handlers.attempt import Rests, Tried
from handlers.ending import Finish
from handlers.supervisor import Supervisor
from store import team
from store.claim import Claimed
from store.postgres import connect
from tests.builders import TENANT, Log, attempt_ended, cancel_requested, chosen, ended, submitted
from tests.integration.hands_kit import Floor, asked, choice_context, chose, floor, now, task_id
from tests.stacks import Namespace

TWO = Plan("two", (PlanStep("a", "work", "first"), PlanStep("b", "work", "${a.output.text} and on")))


@pytest.fixture
async def hall(namespace: Namespace) -> AsyncIterator[Floor]:
    """A work queue with a supervisor and a task for it."""
    async with floor(namespace.postgres) as made:
        await made.agent("supervisor", pipeline="supervise")
        await made.tell(asked(1), chose(1, agent="supervisor"))
        yield made


async def split(hall: Floor, plan: Plan | None = TWO, worker: str = "w1", claimed: Claimed | None = None) -> list[str]:
    """Claim the task, and hand it over to others; None: again, since its plan stands."""
    one = claimed or (await hall.claim(worker))[0]
    splitting = None if plan is None else Splitting(plan, "test", "because", "the text")
    resting = Tried(Finish(one, "failed", 1, reason="delegated"), rests=Rests(splitting))
    return list((await hall.desk(worker).turn([resting], None, 0)).outcomes)


async def part(hall: Floor, step: str) -> str:
    """Return the task that was asked for for a step."""
    events = [event for event in await hall.outbox() if isinstance(event.fact, PlanStepStarted) and event.fact.step == step]
    return task_id_of(TENANT, SUPERVISOR, events[0].id)


async def hear(hall: Floor, *events: Event[Fact]) -> None:
    """Let the supervisor read these facts, in one batch."""
    log = Log(hall.names).add(*events)
    async with hall.connection.transaction():
        await Supervisor(hall.names, now, hall.count).apply(hall.connection, log.records)


def went(task: str, output: Any = None, outcome: str = "completed") -> list[Event[Fact]]:
    """Return the end of a part."""
    return [attempt_ended(task_id=task, output={"text": "one"} if output is None else output), ended(outcome, task)]


async def test_a_split_attempt_rests_and_goes_on_when_its_parts_are_over(hall: Floor) -> None:
    """Nobody can claim it meanwhile, and it holds no place; what is asked for has the id of its fact, and flows on."""
    assert await split(hall) == ["rests"]
    assert await hall.claim() == []
    first = await part(hall, "a")

    await hear(hall, *went(first))
    asks = await hall.sent(SubmitTask)
    await hear(hall, *went(await part(hall, "b")))

    assert [one.text for one in asks] == ["first", "one and on"]
    assert [(one.step, one.outcome) for one in await hall.sent(PlanStepEnded)] == [("a", "completed"), ("b", "completed")]
    assert [one.outcome for one in await hall.sent(PlanEnded)] == ["completed"]
    (again,) = await hall.claim("w2")
    assert again.hold.epoch == 2


async def test_what_is_read_twice_moves_nothing_twice(hall: Floor) -> None:
    """A fold that lost its position reads all again: no second request, no second end."""
    await split(hall)
    facts = went(await part(hall, "a"))
    await hear(hall, *facts)
    before = [event.id for event in await hall.outbox()]

    await hear(hall, *facts, *facts)

    assert [event.id for event in await hall.outbox()] == before


async def test_a_worker_that_lost_its_attempt_splits_nothing(hall: Floor) -> None:
    """Another has it by now: no plan, no request."""
    (late,) = await hall.claim("w1", lease_s=-1)
    await hall.sweep()
    (mine,) = await hall.claim("w2")

    await split(hall, claimed=late)
    assert await hall.sent(PlanMade) == []
    await split(hall, worker="w2", claimed=mine)
    assert len(await hall.sent(PlanMade)) == 1


async def test_a_plan_that_is_over_before_its_attempt_rests_again_wakes_it_at_once(hall: Floor) -> None:
    """Claimed too early, and meanwhile the last part ended: the wake-up is not lost."""
    await split(hall, Plan("one", (PlanStep("a", "work", "x"),)))
    await hall.connection.execute("update ops.work_attempt set not_before = now()")
    (early,) = await hall.claim("w2")
    await hear(hall, *went(await part(hall, "a")))

    assert await split(hall, None, worker="w2", claimed=early) == ["rests"]
    assert len(await hall.claim("w3")) == 1


async def test_a_task_that_is_over_takes_its_parts_with_it(hall: Floor) -> None:
    """Cancelled: dispatch ends the task, and the supervisor asks to cancel what is open; a late part changes nothing."""
    await split(hall)
    first = await part(hall, "a")
    await hall.tell(cancel_requested(task_id(1)))
    over = next(event for event in await hall.outbox() if isinstance(event.fact, TaskEnded))

    await hear(hall, Event(over.envelope, over.fact))
    await hear(hall, *went(first))

    assert [one.task_id for one in await hall.sent(CancelTask)] == [first]
    assert [one.outcome for one in await hall.sent(PlanEnded)] == ["given_up"]
    assert len(await hall.sent(SubmitTask)) == 1


async def test_parts_of_parts_count_against_the_limits_of_the_first(hall: Floor) -> None:
    """Depth and number: what is over the limit fails by name, and its task ends, so that the plan above can go on."""
    await split(hall, Plan("deep", (PlanStep("a", "team", "x"),), limits=PlanLimits(parts=3, depth=2)))
    below = await part(hall, "a")
    await hall.tell(submitted(below, deadline=now() + timedelta(hours=1)), chosen("supervisor", below, context=choice_context()))

    three = Plan("wide", tuple(PlanStep(name, "work", "x") for name in "abc"))
    outcomes = await split(hall, three)

    assert outcomes == ["failed"]
    (failed,) = [one for one in await hall.sent(AttemptEnded) if one.task_id == below]
    assert failed.error is not None
    assert failed.error.startswith("too_many_parts: 3 more parts are over the limit of 3")


async def test_two_that_race_do_not_pass_the_limit_of_parts(hall: Floor) -> None:
    """One counter, raised by a conditional update."""
    await split(hall, Plan("wide", (PlanStep("a", "work", "x"),), limits=PlanLimits(parts=5)))
    others = [await connect(hall.dsn, f"racer {number}") for number in range(4)]

    async def race(number: int) -> bool:
        async with others[number].transaction():
            return await team.promise(others[number], task_id(1), 2)

    won = await asyncio.gather(*(race(number) for number in range(4)))
    for one in others:
        await one.close()

    assert sum(won) == 2
    assert await hall.value("select parts from ops.team_plan") == 5


async def test_what_ended_long_ago_leaves_the_plans_too(hall: Floor) -> None:
    """When its task has gone."""
    await split(hall, Plan("one", (PlanStep("a", "work", "x"),)))
    await hear(hall, *went(await part(hall, "a")))
    await hall.connection.execute("update ops.team_plan set ended_at = now() - interval '9 days'")

    assert await team.purge(hall.connection, 7, 10) == 0
    await hall.connection.execute("delete from ops.work_task")
    assert await team.purge(hall.connection, 7, 10) == 1
    assert await hall.value("select count(*) from ops.team_part") == 0
