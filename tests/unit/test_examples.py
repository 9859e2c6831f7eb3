"""From the facts of one task to examples: late, repeated, revised and early feedback all end the same."""

import itertools
import random
from collections.abc import Iterable

import msgspec
import pytest
from msgspec.structs import replace

from events.event import Event, Fact
from events.learning import ExampleRecorded, ExampleSuperseded
from events.wire import decode, encode, event_type
from learning.examples import Example, TaskMemory, conclude, evolve
from streams.learning import Learning
from tests.builders import TASK, TENANT, attempt_ended, chosen, context, felt, given, revised, terms


def fold(facts: Iterable[Event[Fact]]) -> tuple[TaskMemory, list[Example]]:
    """Take facts in one by one, as the learning fold does."""
    memory, taught = TaskMemory(TENANT, TASK), []
    for event in facts:
        memory, examples = conclude(evolve(memory, event.fact))
        taught += examples
    return memory, taught


def test_a_rated_attempt_is_one_example() -> None:
    """A choice, its end and a rating make one example with the choice's propensity."""
    _, taught = fold([chosen(), attempt_ended(), given(0.5)])

    assert [(type(one), one.agent, one.reward, one.propensity) for one in taught] == [(ExampleRecorded, "calculator", 0.5, 0.75)]


def test_a_revision_supersedes_the_example() -> None:
    """A rater who changes their mind corrects the example, and the old reward is named so that it can be taken back."""
    _, taught = fold([chosen(), attempt_ended(), given(1.0), revised(0.25)])

    assert isinstance(taught[1], ExampleSuperseded)
    assert (taught[1].old_reward, taught[1].reward, taught[1].revision) == (1.0, 0.25, 1)


def test_how_near_the_description_lay_goes_with_the_example() -> None:
    """What the choice recorded of the chosen agent is in its example and in every correction; without, there is nothing."""
    made = chosen()
    near = replace(made.fact, candidates=tuple(replace(one, fit=0.25) for one in made.fact.candidates))
    _, taught = fold([replace(made, fact=near), attempt_ended(), given(1.0), revised(0.25)])
    _, plain = fold([made, attempt_ended(), given(1.0)])

    assert [one.fit for one in taught] == [0.25, 0.25]
    assert [one.fit for one in plain] == [None]


def test_two_raters_count_alike() -> None:
    """The reward is the mean over raters; the second rater supersedes what the first one taught."""
    _, taught = fold([chosen(), attempt_ended(), given(1.0, rater="ann"), given(0.0, rater="bob")])

    assert [one.reward for one in taught] == [1.0, 0.5]


def test_a_failed_attempt_teaches_without_feedback() -> None:
    """An attempt that failed is worth nothing by rule, at once."""
    _, taught = fold([chosen(), attempt_ended("failed")])

    assert [one.reward for one in taught] == [0.0]


def test_infrastructure_teaches_nothing() -> None:
    """An abandoned attempt says nothing about the agent, whatever anybody says of it."""
    _, taught = fold([chosen(), attempt_ended("abandoned"), given(0.0, attempt=1)])

    assert taught == []


def test_what_is_told_again_teaches_nothing_whatever_it_says() -> None:
    """Choice, end and feedback that come once more, also with other content, change nothing: the inbox may forget them."""
    facts = [chosen(), attempt_ended(), given(0.5)]
    memory, taught = fold(facts)

    again, taught_with_repeats = fold([*facts, chosen("another"), attempt_ended("failed"), given(1.0), *facts])

    assert (again, taught_with_repeats) == (memory, taught)


def test_words_alone_teach_nothing() -> None:
    """A comment without a value is kept and makes no example."""
    memory, taught = fold([chosen(), attempt_ended(), given(None, kind="comment")])

    assert taught == []
    assert len(memory.said) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_words_take_no_value_back(order: tuple[int, ...]) -> None:
    """A revision without a value leaves the value that its rater gave, whatever comes first."""
    story = [chosen(), attempt_ended(), given(1.0), revised(None, revision=1, kind="comment")]

    memory, _ = fold([story[index] for index in order])

    assert memory.learnt[1].reward == 1.0


def test_feedback_waits_for_its_attempt() -> None:
    """Feedback that came first waits, and counts once the attempt is known and over."""
    waiting, early = fold([given(1.0)])
    _, taught = fold([given(1.0), chosen(), attempt_ended()])

    assert waiting.waiting
    assert early == []
    assert [one.reward for one in taught] == [1.0]


def test_another_tenants_words_are_not_heard() -> None:
    """Feedback from another tenant about this task changes nothing."""
    memory, taught = fold([chosen(), attempt_ended(), given(0.0, tenant="stranger")])

    assert taught == []
    assert memory.said == ()


def test_a_rater_who_names_the_attempt_twice_is_heard_once() -> None:
    """The same rater, once by number and once as the final attempt, has one voice."""
    _, taught = fold([chosen(), attempt_ended(), given(1.0, attempt=1), given(1.0, attempt=None)])

    assert [one.reward for one in taught] == [1.0]


@pytest.mark.parametrize("seed", range(20))
def test_every_order_of_arrival_ends_the_same(seed: int) -> None:
    """Whatever the order, and with everything repeated, the reward in force is the same."""
    story = [
        chosen(),
        attempt_ended(),
        given(1.0, rater="ann"),
        revised(0.5, rater="ann", revision=1),
        revised(0.25, rater="ann", revision=2),
        given(0.75, rater="bob"),
    ]
    shuffled = random.Random(seed).sample([*story, *story], k=2 * len(story))

    memory, _ = fold(shuffled)

    assert memory.learnt[1].reward == 0.5


def test_superseding_adds_up() -> None:
    """Taking back every old reward and adding every new one leaves the reward in force."""
    story = [chosen(), attempt_ended(), given(1.0), revised(0.5, revision=1), revised(0.125, revision=4)]
    for order in itertools.permutations(story):
        memory, taught = fold(order)
        total = sum(one.reward - (one.old_reward if isinstance(one, ExampleSuperseded) else 0.0) for one in taught)

        assert total == memory.learnt[1].reward


DIALLED = context(reward=terms(costs=0.25, latency=0.25))
SPENT = {"cost_microusd": 3_000, "duration_us": 1_000_000}  # worth 1/4 and 1/2 by these terms


def test_the_terms_of_the_choice_make_the_reward() -> None:
    """Quality .5 of weight .5, a cost worth 1/4 and a duration worth 1/2 of weight 1/4 each: .4375."""
    _, taught = fold([chosen(context=DIALLED), attempt_ended(**SPENT), given(0.5)])

    assert [(one.rule, one.reward) for one in taught] == [("balance/1", 0.4375)]


def test_a_choice_without_terms_is_quality_alone() -> None:
    """What an older release chose is learned from as it was then, whatever the attempt cost."""
    _, taught = fold([chosen(), attempt_ended(**SPENT), given(0.5)])

    assert [(one.rule, one.reward) for one in taught] == [("quality/1", 0.5)]


def test_nobody_rated_it_is_not_bad() -> None:
    """However dear an attempt was, without feedback it is no example."""
    assert fold([chosen(context=DIALLED), attempt_ended(**SPENT)])[1] == []


STORIES = {
    "a correction": ([given(None, kind="correction", correction="the 4 red stones")], 0.5),  # of 4 words 1 replaced, 1 put in
    "a comment": ([given(None, kind="comment", sentiment=felt(0.5))], 0.75),
    "a comparison": ([given(0.5, kind="comparison")], 0.5),
    "words after a number": ([given(1.0), revised(None, kind="comment", sentiment=felt(-1.0))], 1.0),
    "a correction after a comment": (
        [given(None, kind="comment", sentiment=felt(-1.0)), revised(None, kind="correction", correction="two red stones")],
        1.0,
    ),
    "silent words after a comment": ([given(None, kind="comment", sentiment=felt(0.5)), revised(None, kind="comment")], 0.75),
    "neither good nor bad after a comment": (
        [given(None, kind="comment", sentiment=felt(0.5)), revised(None, kind="comment", sentiment=felt(0.0))],
        0.75,
    ),
    "three raters": (
        [
            given(1.0),
            given(None, rater="bob", kind="correction", correction="two red stones"),
            given(None, rater="eve", kind="comment", sentiment=felt(-0.5)),
        ],
        (1.0 + 1.0 + 0.25) / 3,
    ),
}


@pytest.mark.parametrize(("said", "quality"), STORIES.values(), ids=list(STORIES))
def test_every_kind_of_feedback_is_learned_from_in_any_order(said: list[Event[Fact]], quality: float) -> None:
    """Whatever comes first, the reward in force is the same; where all came at once it is an example of its own."""
    answered = [chosen(context=context(reward=terms())), attempt_ended(output={"value": "two red stones"})]
    for order in itertools.permutations([*answered, *said]):
        memory, taught = fold(order)

        assert (memory.learnt[1].reward, taught[-1].reward) == (quality, quality)


def test_a_memory_of_an_older_release_is_still_read() -> None:
    """What the fold had stored of a task before there were terms is gone on with: quality alone, as the task was chosen."""
    memory, _ = fold([chosen(), attempt_ended()])
    stored = msgspec.json.decode(msgspec.json.encode(memory))
    del stored["spent"], stored["choices"]["1"]["terms"]

    again = msgspec.convert(stored, TaskMemory, strict=False)
    _, (example,) = conclude(evolve(again, given(0.25).fact))

    assert (example.rule, example.reward) == ("quality/1", 0.25)


def test_feedback_of_version_1_is_learned_from() -> None:
    """A judgement as an older release wrote it means the same."""
    event = given(0.25)
    record = encode("tasks", event)
    old = msgspec.json.decode(record.value)
    del old["against"], old["sentiment"]
    headers = tuple((name, b"smolit.feedback.given.v1" if name == "ce_type" else content) for name, content in record.headers)

    assert event_type(headers) in Learning.wants
    assert decode(headers, msgspec.json.encode(old)) == event
