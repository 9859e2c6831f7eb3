"""Requests about searches: which become facts, which are refused, and what is in force of them."""

from typing import Any

import pytest
from msgspec.structs import replace

from events.control import Control, evolve
from events.event import Envelope, Event, Fact
from events.request import EndSearch, EndTrial, Request, StartSearch
from events.search import Dimension, SearchEnded, SearchStarted, TrialEnded
from streams.admission import Asked, Refused
from streams.change_search import search_fact
from tests.builders import SCOPE, START, TENANT, search_ended, search_started, trial_ended

STARTED: Any = search_started().fact
START_IT = StartSearch(
    scope=SCOPE,
    search_id="look",
    policy="ridge_igw",
    space=STARTED.space,
    seed=1,
    budget=STARTED.budget,
    window=STARTED.window,
    code_sha256=STARTED.code_sha256,
)
TRIED = EndTrial(scope=SCOPE, search_id="look", arm="guided", number=0, parameters={"gain": 1.0}, state="completed", score=0.5)
END_IT = EndSearch(scope=SCOPE, search_id="look", why="budget_spent", verdict="no better")


def in_force(*events: Event[Fact]) -> Control:
    """Fold facts as every process does."""
    control = Control()
    for event in events:
        control = evolve(control, event.fact)
    return control


def made(request: Request, control: Control) -> Fact:
    """Return the fact of a request."""
    envelope = Envelope(id="r1", source="shop", subject="", time=START, correlation_id="r1", causation_id="r1")
    asked = Asked(TENANT, envelope, request)
    assert isinstance(request, StartSearch | EndTrial | EndSearch)
    return search_fact(asked, request, control)


def test_a_search_begins_is_tried_and_ends() -> None:
    """Each request that makes sense becomes its fact, with who asked."""
    started, tried = made(START_IT, in_force()), made(TRIED, in_force(search_started()))
    ended = made(END_IT, in_force(search_started()))

    assert isinstance(started, SearchStarted)
    assert (started.started_by, started.space, started.window) == ("shop", STARTED.space, STARTED.window)
    assert isinstance(tried, TrialEnded)
    assert (tried.number, tried.score, tried.parameters) == (0, 0.5, {"gain": 1.0})
    assert isinstance(ended, SearchEnded)
    assert ended.verdict == "no better"
    assert made(replace(TRIED), in_force(search_started())).slot() == tried.slot(), "told twice it is one fact"


@pytest.mark.parametrize(
    ("request_", "control", "reason"),
    [
        (START_IT, in_force(search_started()), "search_exists"),
        (START_IT, in_force(search_started(), search_ended()), "search_exists"),
        (replace(START_IT, policy="nonsense"), in_force(), "bad_policy"),
        (replace(START_IT, space=(*STARTED.space, *STARTED.space)), in_force(), "bad_space"),
        (replace(START_IT, space=(Dimension(name="gain", low=2.0, high=1.0),)), in_force(), "bad_space"),
        (replace(START_IT, space=(Dimension(name="gain", low=0.0, high=1.0, log=True),)), in_force(), "bad_space"),
        (TRIED, in_force(), "unknown_search"),
        (replace(TRIED, scope="games"), in_force(search_started()), "unknown_search"),
        (TRIED, in_force(search_started(), search_ended()), "search_over"),
        (replace(TRIED, score=None), in_force(search_started()), "bad_trial"),
        (replace(TRIED, state="failed"), in_force(search_started()), "bad_trial"),
        (END_IT, in_force(), "unknown_search"),
        (END_IT, in_force(search_started(), search_ended()), "search_over"),
    ],
)
def test_what_makes_no_sense_is_refused(request_: Request, control: Control, reason: str) -> None:
    """What does not exist, is over, or cannot be is named."""
    with pytest.raises(Refused) as refused:
        made(request_, control)

    assert refused.value.reason == reason


def test_a_search_runs_until_it_is_ended_and_only_once() -> None:
    """Trials change nothing in force; one that is over stays known, so that its id is not used again."""
    control = in_force(
        search_started("one"), search_started("two"), trial_ended(0, "one"), search_ended("one"), search_started("one")
    )

    assert {key[1]: one.running for key, one in control.searches.items()} == {"one": False, "two": True}
    assert in_force(search_ended("ghost"), trial_ended(0, "ghost")) == Control()
