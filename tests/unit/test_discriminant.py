"""Telling apart who a text is for: by what it has that the examples of others have not."""

import msgspec
import numpy as np
import pytest

from events.control import KnownAgent
from events.task import Features
from learning.discriminant import discriminant
from learning.match import MARGIN, fits, match, scores
from tests.builders import features
from tests.unit.test_match import asked, spec

WIDTH = 6


def seen(*places: int, form: float = 0.0) -> Features:
    """Return features of a text that has the words at these places, and a number of its form."""
    vector = np.zeros(WIDTH)
    vector[list(places)] = 1.0
    made = features(embedding=vector.astype("<f2").tobytes(), surface=np.array([form], dtype="<f2").tobytes())
    return msgspec.structs.replace(made, version="test")


def agent(name: str, *examples: Features, skills: tuple[str, ...] = ()) -> tuple[str, KnownAgent]:
    """Return an agent whose description is its first example."""
    made = spec(name, examples=tuple(f"example {number}" for number, _ in enumerate(examples)), skills=skills or (name,))
    return name, KnownAgent("t", made, name, examples[0], "active", examples)


def best(text: Features, *agents: tuple[str, KnownAgent]) -> str:
    """Return whose score is best."""
    found = scores(text, agents, fits(text, agents))
    return max(found, key=lambda name: found[name])


def test_a_word_that_all_share_tells_nobody_apart() -> None:
    """Two texts are about as near to each agent by cosine; the rare word decides, not the one that stands in every example."""
    bills = agent("bills", seen(0, 1, 2), seen(0, 1, 3))
    poems = agent("poems", seen(0, 1, 4), seen(0, 1, 5))

    assert best(seen(0, 1, 2), bills, poems) == "bills"
    assert best(seen(5), bills, poems) == "poems"
    lean = discriminant([seen(0, 1, 2), seen(0, 1, 3), seen(0, 1, 4), seen(0, 1, 5)], np.array([0, 0, 1, 1]), np.eye(2) > 0)
    common, rare = lean.leanings(seen(0, 1)), lean.leanings(seen(2))
    assert abs(common[0] - common[1]) < (rare[0] - rare[1]) / 5


def test_form_decides_where_words_do_not() -> None:
    """Of two agents with the same words, one has long texts."""
    short = agent("short", *(seen(0, form=form) for form in (1.0, 1.2, 0.8)))
    long = agent("long", *(seen(0, form=form) for form in (9.0, 9.5, 8.5)))

    assert best(seen(0, form=8.0), short, long) == "long"
    assert best(seen(0, form=2.0), short, long) == "short"


def test_many_examples_are_not_more_than_few() -> None:
    """A class counts alike, whether it has two examples or sixteen."""
    few, many = [seen(0), seen(0)], [seen(1) for _ in range(16)]
    classes = np.array([0] * 2 + [1] * 16)

    lean = discriminant([*few, *many], classes, np.eye(2) > 0).leanings(seen(2))

    assert lean[0] == pytest.approx(lean[1], abs=1e-9)


def test_who_has_the_same_skill_is_no_rival() -> None:
    """An example of one is an example for the other, too; with skills of their own they push each other away."""
    text = seen(0)
    other = agent("c", seen(2), seen(3))

    def of_second(skill: str) -> float:
        both = agent("a", seen(0), seen(0), skills=("x",)), agent("b", seen(1), seen(1), skills=(skill,)), other
        return scores(text, both, fits(text, both))["b"]

    assert of_second("x") > of_second("y") + 0.1


def test_who_is_a_margin_behind_is_no_candidate() -> None:
    """Of three with examples the nearest is chosen, its like beside it, and not the third, though its cosine would do."""
    agents = (agent("a", seen(0, 1), seen(0)), agent("b", seen(0, 1), seen(0)), agent("c", seen(1, 2, 3), seen(2, 3)))
    text = seen(0, 1)
    near = fits(text, agents)

    found = match(agents, asked(features=text), lambda _: True)

    told = scores(text, agents, near)
    assert found.candidates == ("a", "b")
    assert near["c"] > 0.35
    assert told["c"] < told["a"] - MARGIN


def test_the_same_agents_are_told_apart_alike_whatever_their_order() -> None:
    """Scores do not hang on the order in which agents registered."""
    agents = [agent("a", seen(0), seen(1)), agent("b", seen(2), seen(0, 3)), agent("c", seen(4))]
    text = seen(0, 4, form=3.0)

    one, other = (scores(text, order, fits(text, order)) for order in (agents, agents[::-1]))

    assert one == pytest.approx(other, abs=1e-9)


def test_who_has_no_examples_has_no_score() -> None:
    """A description alone is compared by its cosine."""
    made = spec("bare", examples=())

    assert scores(seen(0), [("bare", KnownAgent("t", made, "bare", seen(0)))], {"bare": 1.0}) == {}
