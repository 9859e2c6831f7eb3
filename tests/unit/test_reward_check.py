"""`policy verify` on rewards: true ones pass, and whatever is changed shows."""

from typing import Any

import pytest

from events.event import Event, Fact
from events.wire import Incoming
from learning.examples import TaskMemory, conclude, evolve
from smolit.audit.rewards import wrong_rewards
from tests.builders import TASK, TENANT, Log, attempt_ended, chosen, context, felt, given, revised, stamped, terms

BY = context(reward=terms(costs=0.5, latency=0.25))
STORY = [
    chosen(context=BY),
    attempt_ended(cost_microusd=3_000, output={"value": "two red stones"}),
    given(1.0),
    given(None, rater="bob", kind="comment", sentiment=felt(0.5)),
    revised(0.25),
]


def taught(story: list[Event[Fact]]) -> list[Event[Fact]]:
    """Return the examples that learning records of a story."""
    memory, found = TaskMemory(TENANT, TASK), []
    for event in story:
        memory, examples = conclude(evolve(memory, event.fact))
        found += [stamped(example) for example in examples]
    return found


def checked(story: list[Event[Fact]], examples: list[Event[Fact]]) -> list[str]:
    """Return what is wrong with recorded examples, which may lie before the facts that teach them."""
    return [f"{one.recorded} -> {one.recomputed}" for one in wrong_rewards(Log().add(*examples, *story, *story).records)]


def test_true_rewards_pass() -> None:
    """The first example and each correction are made again to the bit, also where learning has not come to the last yet."""
    examples = taught(STORY)

    assert len(examples) == 3
    assert checked(STORY, examples) == []
    assert checked(STORY, examples[:1]) == []


CHANGES: dict[str, dict[str, Any]] = {
    "weights": {"context": context(reward=terms(costs=0.5, latency=0.125))},
    "scale": {"context": context(reward=terms(costs=0.5, latency=0.25, cost_half_microusd=999))},
    "rule": {"context": context()},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_other_terms_than_those_that_were_fixed_show(change: dict[str, Any]) -> None:
    """A reward that was made by another dial than the choice's is found, the first and every correction."""
    assert len(checked([chosen(**change), *STORY[1:]], taught(STORY))) == 3


def test_a_changed_cost_or_judgement_shows() -> None:
    """What the attempt cost, what was said and what was read out of words all matter."""
    for place, other in ((1, attempt_ended(cost_microusd=2_999)), (2, given(0.9)), (3, given(None, rater="bob", kind="comment"))):
        assert checked([*STORY[:place], other, *STORY[place + 1 :]], taught(STORY)), place


def test_a_reward_that_nothing_teaches_shows() -> None:
    """Without its facts an example is said to be wrong, not guessed at."""
    assert checked(STORY[:2], taught(STORY)[:1])[0].endswith("-> none: nothing teaches it")


def test_records_are_read_once() -> None:
    """The whole story twice, as after a crash, is one story: first in the log wins."""
    records: list[Incoming] = Log().add(*STORY, *STORY, *taught(STORY), *taught(STORY)).records

    assert wrong_rewards(records) == []
