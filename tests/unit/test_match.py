"""Who fits a text without a kind: by description and examples, near the nearest, else a general agent."""

import msgspec
import numpy as np
import pytest

from events.control import KnownAgent
from events.task import ChoiceContext, Features
from learning.match import CLEAR_FIT, MARGIN, MINIMUM_FIT, SHARE_OF_BEST, fit, fits, match, nearest, scores
from tests.builders import context, features, spec

TEXT = np.array([1.0, 0.0])


def at(cosine: float, version: str = "test") -> Features:
    """Return features that have this cosine with the text."""
    vector = np.array([cosine, np.sqrt(1 - cosine**2)])
    return msgspec.structs.replace(features(embedding=vector.astype("<f2").tobytes()), version=version)


def agent(name: str, described: float = 0.0, *examples: float, **fields: object) -> tuple[str, KnownAgent]:
    """Return an agent whose description and examples have these cosines with the text."""
    told = tuple(f"example {number}" for number in range(len(examples)))
    made = spec(name, **{"examples": told, **fields})
    return name, KnownAgent("t", made, name, at(described), "active", tuple(at(one) for one in examples))


def asked(**fields: object) -> ChoiceContext:
    """Return what is known of a task without a kind."""
    return context(**{"kind": None, "features": at(1.0), **fields})  # type: ignore[arg-type]


def chosen(*agents: tuple[str, KnownAgent], **fields: object) -> tuple[str, ...]:
    """Return who may be chosen for the text."""
    return match(agents, asked(**fields), lambda _: True).candidates


def test_the_nearest_of_description_and_examples_counts() -> None:
    """One at a time or all together it is the same, and who was read by another encoder cannot be compared."""
    agents = [agent("a", 0.1, 0.7, 0.3), agent("b", 0.6, 0.2), agent("c", 0.4)]
    other = ("d", msgspec.structs.replace(agent("d", 0.9)[1], described=at(0.9, "another")))

    near = fits(at(1.0), [*agents, other])

    assert near == pytest.approx({"a": 0.7, "b": 0.6, "c": 0.4}, abs=1e-3)
    assert near["a"] == pytest.approx(fit(at(1.0), (at(0.1), at(0.7), at(0.3))), abs=1e-12)
    assert fit(at(1.0), (at(0.9, "another"),)) == 0.0


def test_what_is_at_hand_for_a_group_is_not_taken_for_another() -> None:
    """Two agents of one name, one before and one after it was revised, are told apart."""
    before, after = agent("a", 0.2), agent("a", 0.8)

    found = [fits(at(1.0), [one])["a"] for one in (before, after, before)]

    assert found == pytest.approx([0.2, 0.8, 0.2], abs=1e-3)


def test_without_examples_only_the_least_cosine_counts() -> None:
    """As it was before there were examples: everybody above it may be chosen, however far behind the nearest."""
    assert chosen(agent("near", 0.9), agent("far", MINIMUM_FIT + 0.01), agent("out", MINIMUM_FIT - 0.01)) == ("near", "far")


def test_who_is_much_farther_than_the_nearest_is_left_out_with_its_cosine_and_score() -> None:
    """The share of the best cosine decides for those without examples, the score for the others; either is told."""
    agents = [
        agent("best", 0.1, 0.8),
        agent("close", 0.1, 0.8 * SHARE_OF_BEST + 0.01),
        agent("far", 0.0, 0.5),
        agent("bare", 0.3),
    ]

    found = match(agents, asked(), lambda _: True)

    assert found.candidates == ("best", "close")
    assert [(one.agent, one.reason) for one in found.left_out] == [("bare", "no_fit"), ("far", "no_fit")]
    assert [one.fit for one in found.left_out] == pytest.approx([0.3, 0.5], abs=1e-3)
    bare, far = (one.score for one in found.left_out)
    assert bare is None
    assert far is not None
    assert far < scores(at(1.0), agents, fits(at(1.0), agents))["best"] - MARGIN


def test_what_nobody_clearly_does_is_for_a_general_agent() -> None:
    """It stands in where no example is near enough, beside those whose description is; where one is, it is no candidate."""
    general, bare = agent("anything", 0.05, 0.1, general=True), agent("bare", 0.2)
    nearly, clearly = agent("one", 0.1, CLEAR_FIT - 0.01), agent("one", 0.1, CLEAR_FIT + 0.3)

    assert chosen(general, nearly) == ("anything",)
    assert chosen(general, nearly, bare) == ("anything", "bare")
    assert chosen(general, clearly) == ("one",)
    assert chosen(nearly) == ()


def test_a_general_agent_is_the_nearest_by_its_own_examples() -> None:
    """A poem is what an assistant says it writes; whoever is a little like it is left out."""
    assert chosen(agent("anything", 0.1, 0.8, general=True), agent("coder", 0.1, 0.4)) == ("anything",)


def test_a_failure_brings_in_general_agents_and_nobody_who_is_far() -> None:
    """A second attempt goes to whoever is about as near; where nobody is, to a general agent; else the task is over."""
    best, near, far = agent("best", 0.1, 0.9), agent("near", 0.1, 0.85), agent("far", 0.1, 0.5)
    general = agent("anything", 0.1, 0.2, general=True)

    assert chosen(best, near, far, general, tried=("best",)) == ("near",)
    assert chosen(best, near, far, general, tried=("best", "near")) == ("anything",)
    assert chosen(best, far, tried=("best",)) == ()
    assert chosen(agent("a", 0.9), agent("b", 0.2), tried=("a",)) == ("b",)


def test_who_lacks_an_input_is_no_measure_for_the_others() -> None:
    """Who cannot do it for lack of a file does not keep others from it."""
    best, next_best = agent("best", 0.1, 0.9), agent("next", 0.1, 0.5)
    lacking = agent("scans", 0.1, 0.95, needs=("file:*",))

    found = match((best, lacking, next_best), asked(brings=()), lambda _: True)

    assert found.candidates == ("best",)
    assert [(one.agent, one.reason) for one in found.left_out] == [("next", "no_fit"), ("scans", "lacks_input")]
    assert chosen(lacking, next_best, brings=()) == ("next",)


def test_one_that_is_asked_for_by_name_need_not_be_the_nearest() -> None:
    """It must only not be about something else altogether."""
    agents = (agent("best", 0.1, 0.9), agent("asked", 0.1, MINIMUM_FIT + 0.01), agent("off", 0.0, 0.01))

    assert chosen(*agents, agent="asked") == ("asked",)
    assert chosen(*agents, agent="off") == ()


def test_a_kind_needs_no_likeness() -> None:
    """Skills decide, whatever examples say."""
    skilled = agent("far", 0.0, 0.01, skills=("law",))
    assert chosen(agent("near", 0.1, 0.9), skilled, kind="law") == ("far",)


def test_nobody_is_nearest_where_there_is_nobody() -> None:
    """No agents, no candidates."""
    assert nearest({}, {}, {}) == frozenset()
    assert fits(at(1.0), []) == {}
