"""From the log to rows: nothing later than a choice is seen, what is split by time stays apart, and one log gives one table."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from events.event import Event, Fact
from events.task import AgentChosen, Candidate
from events.wire import Incoming
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from smolit.model.fold import Scope
from smolit.retrain.due import Rule, due
from smolit.retrain.history import History, OutcomeLeak, history
from smolit.retrain.split import FEWEST, Range, Split, TooFewRows, job_of, split, targets_of
from tests import builders
from tests.builders import SCOPE, TENANT, attempt_ended, chosen, context, example, moment, policy_ref, superseded
from tests.choosing import features
from training.job import Rows, Words, read, write

PLACE = Scope(TENANT, SCOPE)
TASKS = 400


@pytest.fixture(scope="module")
def used() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


def task(number: int) -> str:
    """Return a task's id."""
    return f"0b0f1a2e-0000-5000-8000-{number:012}"


def story(used: ContextMap, tasks: int = TASKS, fails: Sequence[int] = (), unjudged: Sequence[int] = ()) -> list[Event[Fact]]:
    """Return tasks one after the other, each chosen for when all before it are known; example n lies at offset 10 n.

    Every third choice is one of bert, who earns 1; all others are of anna, who earns 0.
    """
    told: list[Event[Fact]] = []
    sequence = 0
    for number in range(tasks):
        agent, at = ("bert" if number % 3 == 0 else "anna"), 10.0 * number
        seen = context(features=features(f"question {number}"))
        ref = policy_ref(upto=10 * sequence if sequence else -1)
        offered = (Candidate(agent, 0.5, {}, 0.5), Candidate("anna" if agent == "bert" else "bert", 0.5, {}, 0.5))
        fields: dict[str, Any] = {"context": seen, "context_map": used.digest, "policy": ref}
        told.append(chosen(agent, task(number), at=at, candidates=offered, propensity=0.5, **fields))
        outcome = "failed" if number in fails else "completed"
        told.append(attempt_ended(outcome, agent, task(number), at=at + 1, duration_us=1000 * (1 + number % 50)))
        if number not in unjudged:
            sequence += 1
            reward = 0.0 if number in fails else float(agent == "bert")
            told.append(example(reward, sequence=sequence, agent=agent, task_id=task(number), at=at + 2, features=seen.features))
    return told


def with_fact(event: Event[Fact], **fields: Any) -> Event[Fact]:
    """Return an event that says something else."""
    return replace(event, fact=replace(event.fact, **fields))


def records(events: Sequence[Event[Fact]]) -> list[Incoming]:
    """Return events as they lie in the log: those of tasks in their order, example n at offset 10 n."""
    return [_placed(record) for record in builders.Log().add(*events).records]


def _placed(record: Incoming) -> Incoming:
    if "learning" not in record.topic:
        return record
    return builders.moved(record, offset=10 * int(json.loads(record.value or b"{}")["sequence"]))


def known(used: ContextMap, **fields: Any) -> History:
    """Return the history of a story."""
    return history(records(story(used, **fields)), PLACE, used.digest)


def rows_of(found: Split, used: ContextMap, tmp_path: Any) -> Rows:
    """Return the rows of a split as the process that trains reads them."""
    write(tmp_path, *job_of(found, used, Words()))
    return read(tmp_path)[1]


def test_one_log_gives_one_table(used: ContextMap) -> None:
    """To the byte, in whatever order partitions were read, and however often a record was published."""
    once = records(story(used))
    tasks = [record for record in once if "learning" not in record.topic]
    learned = [record for record in once if "learning" in record.topic]

    tables = [
        job_of(split(history(each, PLACE, used.digest), Range()), used, Words())[1]
        for each in (once, [*learned, *tasks], [*tasks, *learned, learned[-1]])
    ]

    assert tables[0] == tables[1] == tables[2]


def test_outcomes_leave_no_trace_in_what_is_looked_at(used: ContextMap, tmp_path: Any) -> None:
    """The same choices with all rewards turned round give the same contexts and agents, to the byte."""
    turned = [with_fact(one, reward=1.0 - one.fact.reward) if hasattr(one.fact, "reward") else one for one in story(used)]
    plain, other = (
        rows_of(split(history(records(events), PLACE, used.digest), Range()), used, tmp_path / name)
        for name, events in (("plain", story(used)), ("turned", turned))
    )

    assert plain.contexts.tobytes() == other.contexts.tobytes()
    assert plain.agents.tobytes() == other.agents.tobytes()
    assert (plain.targets[:, 0] == 1.0 - other.targets[:, 0]).all()


def test_an_example_that_saw_more_than_its_choice_is_a_leak(used: ContextMap) -> None:
    """A planted outcome among an example's features is found, by the example's number."""
    events = story(used)
    at, planted = next((at, one) for at, one in enumerate(events) if getattr(one.fact, "sequence", 0) == 150)
    seen = planted.fact.features  # type: ignore[attr-defined]
    leaky = replace(seen, surface=builders.halves([planted.fact.reward]) + seen.surface[2:])  # type: ignore[attr-defined]
    events[at] = with_fact(planted, features=leaky)

    with pytest.raises(OutcomeLeak, match="example 150 "):
        history(records(events), PLACE, used.digest)


def test_a_choice_that_lies_behind_its_own_end_is_a_leak(used: ContextMap) -> None:
    """Whoever writes a choice after the outcome may have seen it."""
    events = story(used)
    at = next(at for at, one in enumerate(events) if isinstance(one.fact, AgentChosen) and one.fact.task_id == task(7))
    events[at], events[at + 1] = events[at + 1], events[at]

    with pytest.raises(OutcomeLeak, match="recorded after the attempt's end"):
        history(records(events), PLACE, used.digest)


def test_what_judges_was_chosen_when_all_rows_were_known(used: ContextMap) -> None:
    """Rows and judging choices share no attempt; every row was known at the cut, no judging choice was made before."""
    found = split(known(used), Range(held_out=0.25))

    rows, judging = ({one.key for one in part} for part in (found.training, found.judging))
    assert not rows & judging
    assert (len(rows), len(judging)) == (300, 100)
    assert found.cut.sequence == 300
    assert all(one.at <= found.cut.at for one in found.training)
    assert all(one.at > found.cut.at for one in found.judging)
    assert set(found.rewards) == rows
    assert set(found.outcomes) == judging


def test_a_correction_after_the_cut_is_not_in_the_rows(used: ContextMap) -> None:
    """Rows know what was known then; one that came in time counts."""
    events = story(used)
    early, late = (_corrected(number, TASKS + place) for place, number in ((1, 0), (2, 3)))

    found = split(history(records([*events, early, late]), PLACE, used.digest), Range())

    assert found.rewards[task(0), 1] == 1.0
    assert found.rewards[task(3), 1] == 1.0
    whole = split(history(records([*events, early]), PLACE, used.digest), Range(held_out=0.0))
    assert whole.rewards[task(0), 1] == 0.25


def _corrected(number: int, sequence: int) -> Event[Fact]:
    """Return the correction of a task's reward from 1 to a quarter."""
    seen = features(f"question {number}")
    return superseded(1.0, 0.25, sequence=sequence, agent="bert", task_id=task(number), at=9000, features=seen)


@pytest.mark.parametrize("bounds", [(1000, 3500), (moment(992.0), moment(3492.0))])
def test_a_range_is_of_offsets_or_of_times(used: ContextMap, bounds: tuple[Any, Any]) -> None:
    """The first is in it, the last is not; nothing outside is trained on or judged by."""
    found = split(known(used), Range(*bounds))

    assert (found.start.sequence, found.end.sequence) == (100, 349)
    assert found.cut.sequence == 100 + int(250 * 0.75) - 1
    assert len(found.training) == found.cut.sequence - 99
    assert len(found.judging) == 350 - found.cut.sequence


def test_too_few_are_refused_with_the_number_it_takes(used: ContextMap) -> None:
    """And one agent alone is nothing to choose between."""
    with pytest.raises(TooFewRows, match=rf"100 judged attempts lie in the range; it takes {FEWEST}"):
        split(known(used, tasks=100), Range())
    with pytest.raises(TooFewRows, match="beside 400 chosen through another context map"):
        split(history(records(story(used)), PLACE, "c0" * 32)._replace(lessons=()), Range())
    alone = [one for one in story(used, tasks=900) if getattr(one.fact, "agent", "") == "bert"]
    numbered = [with_fact(one, sequence=1 + at // 3) if at % 3 == 2 else one for at, one in enumerate(alone)]
    with pytest.raises(TooFewRows, match="two agents"):
        job_of(split(history(records(numbered), PLACE, used.digest), Range()), used, Words())


def test_what_is_not_known_of_an_attempt_is_masked(used: ContextMap, tmp_path: Any) -> None:
    """Not zero: one that nobody judged has a time alone; one that failed is no success, and its time is not known."""
    found = split(known(used, fails=[5], unjudged=[6]), Range())
    rows = rows_of(found, used, tmp_path)
    place = {one.key: at for at, one in enumerate(found.training)}

    assert rows.known[place[task(5), 1]].tolist() == [True, True, False]
    assert rows.targets[place[task(5), 1]].tolist() == [0.0, 0.0, 0.0]
    assert rows.known[place[task(6), 1]].tolist() == [False, False, True]
    assert rows.known[place[task(4), 1]].all()
    timed = rows.targets[rows.known[:, 2] & ~rows.validation, 2]
    assert (timed.mean(), timed.std()) == pytest.approx((0.0, 1.0), abs=1e-9)


def test_targets_of_an_attempt_that_did_not_end(used: ContextMap) -> None:
    """What has not happened is not known."""
    (first, *_) = known(used).attempts

    assert targets_of(first._replace(ended=None), 0.5) == (0.5, None, None)
    assert targets_of(first, 1.0)[:2] == (1.0, 1.0)
    assert targets_of(first, None)[:2] == (None, None)


def test_contexts_are_those_that_policies_saw(used: ContextMap, tmp_path: Any) -> None:
    """Row by row, bit by bit, what the map makes of the features that the choice recorded."""
    found = split(known(used), Range())
    rows = rows_of(found, used, tmp_path)
    seen = [one.choice.context.features for one in found.training]

    assert rows.contexts.tobytes() == np.array([used.apply(each.embedding, each.surface) for each in seen]).tobytes()


def test_it_is_time_by_date_by_number_or_because_rewards_fell(used: ContextMap) -> None:
    """Each by itself, with its figures; nothing is due that nothing was said of."""
    found, cut = known(used), 10 * 300
    at = moment(10.0 * TASKS)

    assert due(found, cut, Rule(tasks=100), at).reasons == ("tasks",)
    assert due(found, cut, Rule(tasks=101), at).reasons == ()
    assert due(found, cut, Rule(every=timedelta(seconds=900)), at).reasons == ("date",)
    assert due(found, cut, Rule(every=timedelta(days=1)), at).reasons == ()
    assert due(found, cut, Rule(), at).due is False
    assert due(found, -1, Rule(tasks=400), at).judged_since == 400


def test_rewards_that_fell_by_chance_are_no_reason(used: ContextMap) -> None:
    """A fall has to be as large as was said, and larger than chance makes it."""
    failing = known(used, fails=range(300, TASKS))
    at = moment(10.0 * TASKS)

    found = due(failing, 3000, Rule(drop=0.1), at)
    assert found.reasons == ("reward",)
    assert found.rise is not None
    assert found.rise.high < -0.2
    assert due(failing, 3000, Rule(drop=0.5), at).reasons == ()
    assert due(known(used), 3000, Rule(drop=0.001), at).reasons == ()
    assert due(failing, 3800, Rule(drop=0.1), at).rise is None, "twenty are too few to tell"
