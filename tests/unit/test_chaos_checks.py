"""Each check finds what it is there for, and nothing in a log that is as it should be."""

import random
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from events.event import Event, Fact
from events.ids import derived_id
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AttemptEnded
from events.wire import Incoming
from learning.examples import TaskMemory, conclude, evolve, final
from projections.fold import CONSUMER as PROJECTIONS
from smolit.chaos.check import effect, lost, order, position, rejoin
from smolit.chaos.check.evidence import Evidence, Rows, sort_log
from smolit.chaos.check.finding import Finding
from smolit.chaos.history import Entry, Outcome
from smolit.chaos.provider import Line, What
from smolit.chaos.script import CHARGE, MAIL
from tests.builders import (
    NAMES,
    TASK,
    TENANT,
    Log,
    admitted,
    attempt_ended,
    chosen,
    context,
    ended,
    example,
    felt,
    given,
    life,
    revised,
    started,
    submitted,
    superseded,
    terms,
)

OTHER = "0b0f1a2e-0000-5000-8000-000000000002"


def evidence(records: Sequence[Incoming] = (), settled: bool = True, **parts: Any) -> Evidence:
    """Return evidence of a log; tables that a test does not name are empty."""
    tables: dict[str, Rows] = dict.fromkeys(("positions", "inbox", "claims", "outbox", "applied", "tally", "parked", "tasks"), ())
    tables |= parts.pop("tables", {})
    given_parts = {"history": (), "once": (), "plain": (), **parts}
    return Evidence(log=sort_log(NAMES, records), tables=tables, settled=settled, **given_parts)


def told(findings: Sequence[Finding]) -> list[str]:
    """Return what was found, in words."""
    return [finding.what for finding in findings]


def asked(outcome: Outcome = "ok", facts: tuple[str, ...] = (), key_seq: int = 1, **fields: Any) -> Entry:
    """Return one try of a request."""
    defaults: dict[str, Any] = {"request_id": "r-1", "type": "feedback.give", "key": TASK, "sha256": ""}
    return Entry(outcome=outcome, facts=facts, key_seq=key_seq, **{**defaults, **fields})


def sent(log: Log, request_id: str = "r-1") -> Log:
    """Add a request's record."""
    headers = (("ce_id", request_id.encode()), ("ce_source", b"chaos"))
    return log.raw(NAMES.requests_of(TENANT), b"k", headers, b"{}")


def test_a_whole_story_has_no_flaw() -> None:
    """A task's life in the right order, with its example, is found in order and joined to the same example."""
    story = [*life(TASK), given(1.0), example(1.0, propensity=0.75)]

    found = evidence(Log().add(*story).records)

    assert order.inverted(found) == []
    assert lost.from_nowhere(evidence(Log().add(*story).records)) == []
    assert rejoin.unlike_the_facts(found) == []


def test_a_request_that_is_not_in_the_log_is_lost() -> None:
    """What the broker acknowledged must be on the request topic."""
    assert "an acknowledged request is not in the log" in told(lost.acknowledged_but_lost(evidence(history=[asked()])))


def test_a_request_that_intake_passed_must_have_become_its_facts() -> None:
    """Once intake stands behind a request its facts are in the log; before that it may only be late."""
    history, records = [asked(facts=("no-such-fact",))], sent(Log()).records
    behind = {"positions": [("intake", NAMES.requests_of(TENANT), 0, 1)]}

    passed = told(lost.acknowledged_but_lost(evidence(records, settled=False, history=history, tables=behind)))
    late = told(lost.acknowledged_but_lost(evidence(records, settled=False, history=history)))

    assert passed == ["intake has passed an acknowledged request, and it became no fact"]
    assert late == []


def test_a_task_that_never_ends_is_lost() -> None:
    """Everything that was begun comes to an end, once all is still."""
    history = [asked(task_id=TASK)]
    records = sent(Log()).add(submitted(), admitted(), chosen(), started()).records

    found = told(lost.acknowledged_but_lost(evidence(records, history=history)))

    assert "an acknowledged task never ended" in found
    assert "an attempt was started and never ended" in found


def test_a_marked_row_must_be_in_the_log() -> None:
    """A row of the outbox that says it was published, and was not, is lost for good."""
    row = (NAMES.of(AttemptEnded.event_type.topic), [["ce_id", msgspec.to_builtins(b"1234")]], True)

    found = told(lost.acknowledged_but_lost(evidence(tables={"outbox": [row]})))

    assert found == ["a row of the outbox is marked as published and is not in the log"]


def test_a_request_that_failed_leaves_nothing() -> None:
    """What the client was told is impossible may not be in the log after all."""
    assert told(lost.left_nothing(evidence(sent(Log()).records, history=[asked("fail")])))
    assert lost.left_nothing(evidence(history=[asked("fail")])) == []


@pytest.mark.parametrize(
    ("consumer", "what"),
    [
        (PROJECTIONS, "the projections have passed a fact and do not have it"),
        ("learning", "learning has passed a fact and does not have it"),
        ("dispatch", "dispatch has passed a task and does not have it"),
    ],
)
def test_a_fold_has_what_it_has_passed(consumer: str, what: str) -> None:
    """A position behind a record that was not taken in is a loss, for every fold."""
    records = Log().add(*life(TASK)).records
    stands = [(consumer, records[0].topic, 0, len(records))]

    assert told(lost.neither_applied_nor_parked(evidence(records, tables={"positions": stands}))) == [what]
    assert lost.neither_applied_nor_parked(evidence(records)) == []


def test_what_was_applied_is_the_first_of_its_id() -> None:
    """Applying a later record of an id, or one that is not there, is found."""
    records = Log().add(submitted()).repeat(0).records
    event = submitted()
    first = (event.id, records[0].topic, 0, 0, sha256(records[0].value or b"").digest(), 1)
    second = (event.id, records[0].topic, 0, 1, sha256(records[0].value or b"").digest(), 1)
    stranger = (derived_id("nothing"), records[0].topic, 0, 0, b"", 1)

    assert lost.from_nowhere(evidence(records, tables={"applied": [first]})) == []
    assert told(lost.from_nowhere(evidence(records, tables={"applied": [second]})))
    assert told(lost.from_nowhere(evidence(records, tables={"applied": [stranger]})))


def test_a_fact_under_another_id_is_found() -> None:
    """The same end of an attempt under a new id would count twice; its id gives it away."""
    records = Log().add(*life(TASK)).records
    twin = records[4]
    headers = tuple((name, derived_id("again").encode() if name == "ce_id" else old) for name, old in twin.headers)
    again = msgspec.structs.replace(twin, offset=6, headers=headers)

    found = told(lost.from_nowhere(evidence([*records, again])))

    assert found == ["a fact's id is not the one of its slot", "two facts fill one slot"]


@pytest.mark.parametrize("swap", [0, 1, 2, 3, 4])
def test_two_steps_the_wrong_way_round_are_found(swap: int) -> None:
    """No two neighbouring steps of a task can change places unseen."""
    story = life(TASK)
    story[swap], story[swap + 1] = story[swap + 1], story[swap]

    assert told(order.inverted(evidence(Log().add(*story).records)))


def test_feedback_out_of_order_is_found() -> None:
    """What one client sent one after the other about one task stays in that order."""
    first, second = given(1.0), revised(0.5)
    history = [asked(facts=(first.id,), key_seq=1), asked(facts=(second.id,), key_seq=2, request_id="r-2")]

    assert order.inverted(evidence(Log().add(first, second).records, history=history)) == []
    assert told(order.inverted(evidence(Log().add(second, first).records, history=history)))


def test_a_batch_applied_before_an_earlier_one_is_found() -> None:
    """Later offsets of a partition are applied in later transactions, or in the same one."""
    rows = [("a", "t", 0, offset, b"", transaction) for offset, transaction in ((0, 5), (1, 5), (2, 4))]

    assert told(order.inverted(evidence(tables={"applied": rows})))
    assert order.inverted(evidence(tables={"applied": rows[:2]})) == []


def test_a_gap_among_the_examples_is_found() -> None:
    """The examples of a scope are numbered without gaps, in the order of the log."""
    assert told(order.inverted(evidence(Log().add(example(sequence=2)).records)))


def line(what: What, operation: str = TASK, key: str = "k") -> Line:
    """Return a line of a provider's notes."""
    return Line(what, operation, key)


def done(kind: str) -> list[Incoming]:
    """Return the records of a task with an effect that was completed."""
    return Log().add(submitted(kind=kind), ended()).records


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ([line("called"), line("applied")], False),
        ([line("called"), line("called"), line("applied")], False),
        ([line("called"), line("applied"), line("called", key="k2"), line("applied", key="k2")], True),
        ([], True),
    ],
)
def test_a_provider_that_takes_keys_does_a_thing_once(lines: list[Line], broken: bool) -> None:
    """Repeated calls under one key are harmless; two keys, or no effect behind a completed task, are not."""
    assert bool(effect.repeated(evidence(done(CHARGE), once=lines))) is broken


@pytest.mark.parametrize(
    ("lines", "broken"),
    [([line("called"), line("applied")], False), ([line("called"), line("applied"), line("called")], True)],
)
def test_a_provider_that_takes_no_keys_is_called_once(lines: list[Line], broken: bool) -> None:
    """A second call of it is a second effect, or might be one."""
    assert bool(effect.repeated(evidence(done(MAIL), plain=lines))) is broken


@pytest.mark.parametrize(("counts", "broken"), [((6, 0, 0), False), ((5, 0, 1), False), ((6, 0, 1), True), ((5, 0, 0), True)])
def test_what_was_read_adds_up(counts: tuple[int, int, int], broken: bool) -> None:
    """Applied, parked and repeated together are the records before the position."""
    records = Log().add(*life(TASK)).records
    topic = records[0].topic
    tables = {"positions": [(PROJECTIONS, topic, 0, 6)], "tally": [(topic, 0, *counts)]}

    assert bool(position.misplaced(evidence(records, settled=False, tables=tables))) is broken


def test_a_fold_that_stands_short_of_the_end_is_found() -> None:
    """Once all is still, every fold stands at the end of what it reads."""
    records = Log().add(*life(TASK)).records
    topic = records[0].topic
    tables = {"positions": [("dispatch", topic, 0, 5), ("learning", topic, 0, 5)], "tally": []}

    found = told(position.misplaced(evidence(records, tables=tables)))

    assert found == ["dispatch does not stand at the end of what it read"]


def test_an_example_that_the_facts_do_not_teach_is_found() -> None:
    """A wrong reward, an example too many and a missing one are each found by the re-join."""
    story = [*life(TASK), given(1.0)]

    assert told(rejoin.unlike_the_facts(evidence(Log().add(*story, example(0.5)).records)))
    assert told(rejoin.unlike_the_facts(evidence(Log().add(*story).records)))
    assert told(rejoin.unlike_the_facts(evidence(Log().add(*life(TASK), example(1.0)).records)))


def test_a_correction_must_take_back_what_was_in_force() -> None:
    """Who learned the old reward takes exactly that one back."""
    story = [*life(TASK), given(1.0), revised(0.25), example(1.0)]

    right = evidence(Log().add(*story, superseded(old_reward=1.0, reward=0.25)).records)
    wrong = evidence(Log().add(*story, superseded(old_reward=0.5, reward=0.25)).records)

    assert rejoin.unlike_the_facts(right) == []
    assert told(rejoin.unlike_the_facts(wrong)) == ["a correction takes back what was not in force"]


@pytest.mark.parametrize("seed", range(60))
def test_the_rejoin_agrees_with_the_learning_fold(seed: int) -> None:
    """Two codes that share nothing come to the same rewards, for any order of what people say."""
    rng = random.Random(seed)
    words = [said(rng, task) for task in (TASK, OTHER) for said in _WORDS]
    by = terms(rng.choice((0.0, 0.25)), rng.choice((0.0, 0.5)))
    output, cost = rng.choice(["red river", {"value": "7"}, {"score": 1.0}]), rng.choice([None, 500])
    story: list[Event[Fact]] = [chosen(context=context(reward=by)), attempt_ended(output=output, cost_microusd=cost)]
    story += [*life(OTHER), chosen(task_id=OTHER, attempt=2), attempt_ended("failed", task_id=OTHER, attempt=2)]
    story += rng.sample(words, k=len(words))

    joined = rejoin.rejoined(evidence(Log().add(*story).records))

    memories = {task: TaskMemory(TENANT, task) for task in (TASK, OTHER)}
    for event in story:
        task = str(getattr(event.fact, "task_id", ""))
        memories[task] = conclude(evolve(memories[task], event.fact))[0]
    assert {attempt: lesson.reward for attempt, lesson in joined.items()} == final(memories)


_WORDS: tuple[Callable[[random.Random, str], Event[Fact]], ...] = (
    lambda rng, task: given(rng.random(), task_id=task),
    lambda rng, task: revised(rng.random(), task_id=task),
    lambda rng, task: revised(None, revision=2, task_id=task, kind="comment"),
    lambda rng, task: given(rng.choice((0.0, 0.5, 1.0)), task_id=task, rater="cid", kind="comparison"),
    lambda rng, task: given(None, task_id=task, rater="dan", kind="comment", sentiment=felt(rng.choice((0.0, 0.6, -0.4)))),
    lambda rng, task: revised(None, 1, task_id=task, rater="dan", kind="correction", correction="red stone river"),
    lambda rng, task: revised(None, 2, task_id=task, rater="dan", kind="comment"),
    lambda rng, task: given(None, task_id=task, rater="fay", kind="correction", correction="7", attempt=1),
    lambda rng, task: revised(None, 1, task_id=task, rater="fay", kind="comment", sentiment=felt(0.8)),
    lambda rng, task: given(None, task_id=task, rater="ann", kind="comment", sentiment=felt(-0.8), attempt=1),
    lambda rng, task: given(rng.random(), task_id=task, rater="bob", attempt=1),
    lambda rng, task: given(rng.random(), task_id=task, rater="eve", attempt=2),
    lambda rng, task: given(rng.random(), task_id=task, rater="bob"),
)


def test_examples_are_read_in_force() -> None:
    """The last example of an attempt is the one that counts."""
    records = Log().add(example(1.0), superseded(old_reward=1.0, reward=0.25)).records

    assert [lesson.reward for lesson in rejoin.in_force(evidence(records)).values()] == [0.25]
    assert {ExampleRecorded, ExampleSuperseded} == {type(event.fact) for _, event in evidence(records).log.first.values()}
