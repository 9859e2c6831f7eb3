"""What people read: the read functions and views, against figures worked out by hand."""

from collections.abc import AsyncIterator, Iterator
from statistics import fmean, stdev

import pytest

from events.event import Event, Fact
from projections.agent import agent, agents
from projections.attempt import attempts_of
from projections.dead_letter import dead_letter_counts, dead_letters, dead_letters_at
from projections.decision import decisions, decisions_of
from projections.errors import UnreadableRange
from projections.event_log import events_of_type, story
from projections.example import examples_of
from projections.experiment import experiments, results
from projections.feedback import feedback_on
from projections.performance import performance
from projections.policy import policy_history
from projections.tally import tally
from projections.task import states, task, tasks
from projections.training import TrainingRow, as_csv, as_json_lines, training_table
from smolit.stack.local import Endpoints
from store.migrate import upgrade
from store.postgres import Connection, connect
from tests.builders import (
    Log,
    admitted,
    assigned,
    attempt_ended,
    cancel_requested,
    chosen,
    concluded,
    context,
    dead_letter,
    ended,
    example,
    experiment_started,
    given,
    life,
    moment,
    paused,
    policy_set,
    registered,
    resumed,
    retired,
    revised,
    snapshot,
    started,
    submitted,
    superseded,
)
from tests.memory import remember
from tests.stacks import namespace_on


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database for this module; `remember` empties it before it begins."""
    with namespace_on(stack, tmp_path_factory.mktemp("memory")) as mine:
        upgrade(mine.postgres)
        yield mine.postgres


@pytest.fixture
async def reader(dsn: str) -> AsyncIterator[Connection]:
    """A connection to read with."""
    connection = await connect(dsn, "tests")
    yield connection
    await connection.close()


async def told(dsn: str, *events: Event[Fact]) -> Log:
    """Fold these facts and nothing else."""
    log = Log().add(*events)
    await remember(dsn, [log.records])
    return log


_STATES = {
    "unknown": [cancel_requested()],
    "submitted": [submitted()],
    "admitted": [submitted(), admitted()],
    "chosen": [submitted(), admitted(), chosen()],
    "running": [submitted(), admitted(), chosen(), started()],
    "waiting": [submitted(), admitted(), chosen(), started(), attempt_ended("failed")],
    "completed": life("0b0f1a2e-0000-5000-8000-000000000001"),
    "cancelled": [submitted(), cancel_requested(), ended("cancelled", attempts=0)],
}


@pytest.mark.parametrize("state", _STATES)
async def test_a_task_says_where_it_stands(dsn: str, reader: Connection, state: str) -> None:
    """Whatever part of a task's facts came so far, its state is told."""
    facts = _STATES[state]
    await told(dsn, *facts)

    found = await task(reader, "default", facts[0].fact.key)

    assert found is not None
    assert found.state == state


async def test_a_second_attempt_runs_again(dsn: str, reader: Connection) -> None:
    """After a failed attempt and another choice the task is on its way again."""
    again = (chosen("bert", attempt=2, at=9), started("bert", attempt=2, at=10))
    await told(dsn, *_STATES["waiting"], *again)

    (found,) = await tasks(reader, "default")

    assert (found.state, found.agent) == ("running", "bert")
    assert [row.outcome for row in await attempts_of(reader, found.task_id)] == ["failed", None]
    assert [row.agent for row in await decisions_of(reader, found.task_id)] == ["calculator", "bert"]


async def test_tasks_are_listed_by_state_and_newest_first(dsn: str, reader: Connection) -> None:
    """Lists and counts agree."""
    await told(dsn, *life("one", at=0), *life("two", at=100), submitted("three", at=200))

    assert [row.task_id for row in await tasks(reader, "default")] == ["three", "two", "one"]
    assert [row.task_id for row in await tasks(reader, "default", state="completed", limit=1)] == ["two"]
    assert await states(reader, "default") == {"completed": 2, "submitted": 1}
    assert await tasks(reader, "stranger") == []
    assert [row.task_id for row in await decisions(reader, "default")] == ["two", "one"]


_LIVES = {
    "active": [registered()],
    "paused": [registered(), paused()],
    "resumed": [registered(), paused(), resumed()],
    "retired": [registered(), retired(), resumed(request_id="too late")],
    "back": [registered(), retired(), registered(request_id="again")],
    "unknown": [paused()],
}


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ("active", "active"),
        ("paused", "paused"),
        ("resumed", "active"),
        ("retired", "retired"),
        ("back", "active"),
        ("unknown", "unknown"),
    ],
)
async def test_an_agent_says_whether_it_may_be_chosen(dsn: str, reader: Connection, case: str, state: str) -> None:
    """Retirement is final until the agent registers again; the later word counts."""
    await told(dsn, *_LIVES[case])

    found = await agent(reader, "default", "calculator")

    assert found is not None
    assert found.state == state
    assert await agents(reader, "default") == [found]


async def test_performance_is_what_a_plain_recomputation_says(dsn: str, reader: Connection) -> None:
    """Counts, shares, time, cost and reward with its interval follow from the facts."""
    rewards = [0.2, 0.5, 0.9]
    facts = [
        *(chosen("anna", f"t{n}", propensity=0.5, explored=n == 0) for n in range(4)),
        *(attempt_ended("completed", "anna", f"t{n}", duration_us=1_000 * (n + 1), cost_microusd=7) for n in range(3)),
        attempt_ended("failed", "anna", "t3", duration_us=50_000),
        *(example(reward, "anna", f"t{n}") for n, reward in enumerate([1.0, 0.5, 0.9])),
        superseded(1.0, 0.2, "anna", "t0", at=9_000),
    ]
    await told(dsn, *facts)

    (found,) = await performance(reader, "default")

    assert (found.chosen, found.explored, found.mean_propensity) == (4, 1, 0.5)
    assert (found.attempts, found.completed, found.failed, found.success_rate) == (4, 3, 1, 0.75)
    assert (found.mean_duration_us, found.p50_duration_us, found.p95_duration_us) == (14_000, 2_200, 56_000)
    assert (found.cost_microusd, found.costed, found.rewarded) == (21, 3, 3)
    half = 1.959964 * stdev(rewards) / 3**0.5
    interval = (fmean(rewards), fmean(rewards) - half, fmean(rewards) + half)
    assert (found.mean_reward, found.reward_low, found.reward_high) == pytest.approx(interval)


async def test_a_window_counts_its_own_hours(dsn: str, reader: Connection) -> None:
    """Hours before and after are left out; a correction counts where its reward was first counted."""
    await told(
        dsn,
        attempt_ended("completed", "anna", "early", at=10),
        attempt_ended("failed", "anna", "late", at=3_700),
        example(1.0, "anna", "early", at=20),
        superseded(1.0, 0.5, "anna", "early", at=3_800),
    )

    (first,) = await performance(reader, "default", until=moment(3_600))
    (second,) = await performance(reader, "default", since=moment(3_600))
    hours = await (await reader.execute("select completed, failed, mean_reward from agent_performance_hourly")).fetchall()

    assert (first.completed, first.failed, first.mean_reward) == (1, 0, 0.5)
    assert (second.completed, second.failed, second.mean_reward) == (0, 1, None)
    assert sorted(hours, key=str) == [(0, 1, None), (1, 0, 0.5)]


async def test_performance_by_kind_of_task(dsn: str, reader: Connection) -> None:
    """An agent can be good at one thing and bad at another."""
    for_law, for_maths = context(kind="law"), context(kind="maths")
    await told(
        dsn,
        *(chosen("anna", "a", context=for_law), attempt_ended("completed", "anna", "a"), example(1.0, "anna", "a")),
        *(chosen("anna", "b", context=for_maths), attempt_ended("failed", "anna", "b"), example(0.0, "anna", "b")),
    )

    query = "select kind, success_rate, mean_reward from agent_performance_by_kind order by kind"
    found = await (await reader.execute(query)).fetchall()

    assert found == [("law", 1.0, 1.0), ("maths", 0.0, 0.0)]


async def test_results_of_an_experiment_count_exposures(dsn: str, reader: Connection) -> None:
    """A task counts for the variant that made its first choice; one that a set policy took is excluded."""
    facts: list[Event[Fact]] = [experiment_started(), concluded()]
    for number, (variant, decided_by, reward) in enumerate(_EXPOSED):
        put_in = context(assignment=assigned(variant, unit=f"u{number % 3}"))
        facts.append(chosen("anna", f"t{number}", context=put_in, decided_by=decided_by))
        facts += [example(reward, "anna", f"t{number}", variant=variant)] if reward is not None else []
    await told(dsn, *facts)

    (experiment,) = await experiments(reader, "default")
    a, b = await results(reader, "default", "exp")

    assert experiment.state == "concluded"
    assert (a.variant, a.exposures, a.units, a.excluded, a.rewarded, a.mean_reward) == ("a", 2, 2, 0, 2, 0.75)
    assert (b.variant, b.exposures, b.excluded, b.rewarded, b.mean_reward, b.reward_low) == ("b", 2, 1, 1, 0.25, None)
    assert a.reward_low is not None
    assert a.reward_low < 0.75 < (a.reward_high or 0)


_EXPOSED = (
    ("a", "experiment", 1.0),
    ("a", "experiment", 0.5),
    ("b", "experiment", 0.25),
    ("b", "experiment", None),
    ("b", "policy_set", 1.0),
)


async def test_a_second_judgement_replaces_the_first_in_the_effective_view(dsn: str, reader: Connection) -> None:
    """Both stay on record; one counts, and it is about the attempt that completed the task."""
    facts = life("one", "anna")
    await told(dsn, *facts, given(1.0, "one"), revised(0.25, task_id="one"), given(0.5, "one", rater="bob"))

    said = await feedback_on(reader, "default", "one")
    query = "select rater, attempt, agent, value from feedback_effective order by rater"
    effective = await (await reader.execute(query)).fetchall()

    assert [(row.rater, row.revision, row.effective) for row in said] == [
        ("ann", 0, False),
        ("ann", 1, True),
        ("bob", 0, True),
    ]
    assert effective == [("ann", 1, "anna", 0.25), ("bob", 1, "anna", 0.5)]


async def test_what_was_learned_of_a_task_is_the_last_word(dsn: str, reader: Connection) -> None:
    """An example shows the reward that counts, when it was first recorded and when it was corrected."""
    await told(dsn, example(1.0, at=8), superseded(1.0, 0.25, at=9))

    (found,) = await examples_of(reader, example().fact.task_id)  # type: ignore[attr-defined]

    assert (found.reward_micro, found.revision) == (250_000, 1)
    assert (found.recorded_at, found.revised_at) == (moment(8), moment(9))


async def test_policies_put_in_force_and_states_stored_are_history(dsn: str, reader: Connection) -> None:
    """Newest first, by scope if asked."""
    await told(dsn, policy_set("uniform", at=1), snapshot(at=2), policy_set(None, at=3))

    found = await policy_history(reader, "default", scope="default")

    assert [(row.change, row.policy) for row in found] == [("set", None), ("snapshot", "ridge"), ("set", "uniform")]
    assert await policy_history(reader, "default", scope="other") == []


async def test_dead_letters_of_all_stages_stand_together(dsn: str, reader: Connection) -> None:
    """What intake refused and what no read model can read are found by reason and by place."""
    log = Log().add(dead_letter("refused", origin_offset=4))
    log.raw("test.tasks.v1", b"k\x00", (("ce_type", b"no\x00nsense"),), b"\x00\xff", partition=1)
    await remember(dsn, [log.records])

    assert await dead_letter_counts(reader) == {("intake", "refused"): 1, ("projections", "not_an_event"): 1}
    (own,) = await dead_letters_at(reader, "test.tasks.v1", 1, 0)
    assert (own.original_value, own.original_key) == (b"\x00\xff", "k\ufffd")
    assert [row.reason for row in await dead_letters(reader, reason="refused")] == ["refused"]
    assert [(row.applied, row.parked) for row in await tally(reader)] == [(1, 0), (0, 1)]


async def test_a_story_is_told_in_order(dsn: str, reader: Connection) -> None:
    """All events of a task share its correlation id."""
    facts = life("one")
    await told(dsn, *facts, *life("other"))

    found = await story(reader, "one")

    assert [row.event_id for row in found] == [event.id for event in facts]
    assert [row.payload["task_id"] for row in await events_of_type(reader, "agent.chosen")] == ["one", "other"]


async def test_the_training_table_has_a_row_for_each_ended_task_and_is_the_same_twice(dsn: str, reader: Connection) -> None:
    """Tasks that ended in the range, once each, in the same bytes; nothing of their results among the features."""
    await told(
        dsn,
        *life("a", at=0),
        *(submitted("b", at=1), ended("expired", "b", at=30, attempts=0)),
        *life("late", at=1_000),
        submitted("open", at=2),
        *(chosen("anna", "c", 1, at=3), attempt_ended("failed", "anna", "c", 1), example(0.0, "anna", "c", 1)),
        *(chosen("bert", "c", 2, at=5), attempt_ended("completed", "bert", "c", 2), ended("completed", "c", at=40)),
        *(example(1.0, "calculator", "a"), given(1.0, "a"), revised(0.5, task_id="a")),
    )

    rows = await training_table(reader, moment(0), moment(500))
    again = await training_table(reader, moment(0), moment(500))

    assert [row.task_id for row in rows] == ["a", "b", "c"]
    assert (as_csv(rows), as_json_lines(rows)) == (as_csv(again), as_json_lines(again))
    assert as_json_lines(rows).count(b"\n") == as_csv(rows).count(b"\n") - 1 == 3
    first, _, third = rows
    assert (first.outcome_reward_micro, [said["value_micro"] for said in first.outcome_feedback]) == (1_000_000, [500_000])
    assert (third.choice_agent, [one["agent"] for one in third.outcome_earlier]) == ("bert", ["anna"])
    told_after = {"reward", "outcome", "feedback", "duration", "cost", "agent", "chosen"}
    features = [name for name in TrainingRow.__struct_fields__ if name.startswith("feature_")]
    assert not [name for name in features if set(name.split("_")) & told_after]


async def test_a_training_table_with_a_hole_is_refused(dsn: str, reader: Connection) -> None:
    """A record of a newer release in the range stops the export and is named."""
    log = Log().add(*life("a"))
    known = log.records[0]
    headers = tuple((name, b"smolit.task.submitted.v2" if name == "ce_type" else item) for name, item in known.headers)
    log.raw(known.topic, known.key, headers, known.value)
    await remember(dsn, [log.records])

    with pytest.raises(UnreadableRange, match=r"test\.tasks\.v1 partition 0 offset 6"):
        await training_table(reader, moment(0), moment(500))
    assert await training_table(reader, moment(500), moment(900)) == []
