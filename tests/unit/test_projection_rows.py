"""Read models as pure functions: facts in, rows out."""

from collections.abc import Iterable

import pytest
from sqlalchemy import Table

from events.event import Event, Fact
from projections import agent, attempt, decision, example, feedback, performance, task
from projections.merge import Merge, Row, hour_of, micro
from projections.projection import Logged, Rows
from tests.builders import (
    NAMES,
    admitted,
    assigned,
    attempt_ended,
    chosen,
    context,
    ended,
    given,
    moment,
    paused,
    registered,
    revised,
    started,
    submitted,
    superseded,
)


def logged(*events: Event[Fact]) -> list[Logged]:
    """Return facts with places in one partition."""
    return [Logged(event, NAMES.of(event.fact.event_type.topic), 0, offset) for offset, event in enumerate(events)]


def folded(table: Table, rows: Rows, events: Iterable[Event[Fact]]) -> list[Row]:
    """Return what a read model makes of facts in one batch."""
    return Merge(table).combine(row for one in logged(*events) for row in rows(one))


def test_a_task_remembers_when_it_got_where() -> None:
    """Each stage of a task leaves its time."""
    facts = (submitted(at=0), admitted(at=1), chosen(at=2), started(at=3), attempt_ended(at=4), ended(at=5))

    (row,) = folded(task.TASKS.tables[0], task.rows, facts)

    times = [row[f"{stage}_at"] for stage in ("submitted", "admitted", "chosen", "started", "ended")]
    assert times == [moment(second) for second in (0, 1, 2, 3, 5)]
    assert row["outcome"] == "completed"


def test_a_task_keeps_the_first_choice_time_and_the_last_agent() -> None:
    """A second attempt changes the agent and not the time of the first choice."""
    facts = (chosen("anna", attempt=1, at=2), chosen("bert", attempt=2, at=9))

    (row,) = folded(task.TASKS.tables[0], task.rows, facts)

    assert (row["agent"], row["chosen_attempt"], row["chosen_at"]) == ("bert", 2, moment(2))


def test_two_tenants_words_about_a_task_are_kept_apart() -> None:
    """A tenant who names another one's task touches a row of its own."""
    rows = folded(task.TASKS.tables[0], task.rows, (submitted(), ended("cancelled", tenant="stranger")))

    assert [(row["tenant"], row["outcome"]) for row in rows] == [("default", None), ("stranger", "cancelled")]


def test_a_decision_says_who_chose_whom_and_why() -> None:
    """A choice keeps its probability, its candidates, its policy and its variant."""
    fact = chosen("anna", context=context(assignment=assigned("b")), propensity=0.75, decided_by="experiment")

    (row,) = folded(decision.DECISIONS.tables[0], decision.rows, [fact])

    assert (row["agent"], row["propensity"], row["variant"], row["decided_by"]) == ("anna", 0.75, "b", "experiment")
    assert [one.agent for one in row["candidates"]] == ["anna", "other"]


def test_an_attempt_taken_over_names_both_workers() -> None:
    """Who began and who ended may differ."""
    facts = (started(worker="one"), attempt_ended(worker="two", epoch=2))

    (row,) = folded(attempt.ATTEMPTS.tables[0], attempt.rows, facts)

    assert (row["started_by"], row["worker"], row["epoch"]) == ("one", "two", 2)


def test_a_revised_judgement_does_not_erase_the_first() -> None:
    """Both stay; the revision number tells them apart."""
    rows = folded(feedback.FEEDBACK.tables[0], feedback.rows, (given(1.0), revised(0.25)))

    assert [(row["revision"], row["value_micro"]) for row in rows] == [(0, 1_000_000), (1, 250_000)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_latest_word_counts_whatever_comes_first(order: tuple[int, int]) -> None:
    """`latest` follows its position, not the order of arrival."""
    table = example.EXAMPLES.tables[0]
    told = [{"revision": 0, "reward_micro": 7}, {"revision": 1, "reward_micro": 9}]
    key = {"task_id": "t", "attempt": 1, "scope": "s"}

    (row,) = Merge(table).combine({**key, **told[place]} for place in order)

    assert (row["revision"], row["reward_micro"]) == (1, 9)


def test_an_unknown_cost_is_not_zero() -> None:
    """Only known costs are added and counted."""
    facts = (attempt_ended(cost_microusd=None, attempt=1), attempt_ended(cost_microusd=40, attempt=2))

    (row,) = folded(performance.AGENT_PERFORMANCE.tables[0], performance.work_rows, facts)

    assert (row["completed"], row["costed"], row["cost_microusd"]) == (2, 1, 40)


def test_an_abandoned_attempt_says_nothing_of_its_agents_speed() -> None:
    """Infrastructure that gave up is counted, and not timed."""
    facts = [attempt_ended("abandoned", duration_us=9_000)]

    (row,) = folded(performance.AGENT_PERFORMANCE.tables[0], performance.work_rows, facts)

    assert (row["abandoned"], row["duration_us"]) == (1, 0)
    assert folded(performance.AGENT_PERFORMANCE.tables[1], performance.duration_rows, facts) == []


@pytest.mark.parametrize(("duration", "upto"), [(0, 10), (10, 10), (11, 12), (82 * 10**9, 82 * 10**9), (10**15, 10**11)])
def test_a_duration_falls_into_the_bucket_that_holds_it(duration: int, upto: int) -> None:
    """A bucket holds what is at most its bound; the last one holds the rest."""
    table = performance.AGENT_PERFORMANCE.tables[1]

    (row,) = folded(table, performance.duration_rows, [attempt_ended(duration_us=duration)])

    assert row["upto_us"] == upto


def test_an_agents_facts_carry_their_offsets() -> None:
    """State is told by offsets, so a pause after a registration is the later word."""
    (row,) = folded(agent.AGENTS.tables[0], agent.rows, (registered(), paused()))

    assert (row["registered_offset"], row["paused_offset"], row["reason"]) == (0, 1, "maintenance")


def test_a_correction_of_an_example_counts_the_difference() -> None:
    """The sums move by what changed, and no attempt is counted twice."""
    (one,) = logged(superseded(old_reward=1.0, reward=0.25))

    row = example._sum(one)

    assert (row["examples"], row["reward_micro"]) == (0, -750_000)
    assert row["reward_micro_squared"] == 250_000**2 - 1_000_000**2


def test_amounts_are_whole_millionths_and_hours_are_utc() -> None:
    """Sums are exact in any order because their addends are integers."""
    assert micro(0.1) + micro(0.2) == micro(0.3)
    assert hour_of(moment(3_601)) == moment(3_600)
