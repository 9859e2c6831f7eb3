"""The bench of models inside an agent: what it is told, and that planted truths come out."""

import numpy as np

from agents.choosing import blank
from bench.agents.choosing import Tasks, figures, walked


def planted(seed: int = 1, count: int = 300) -> Tasks:
    """Return tasks of two domains in each of which another of two models is right four times in five, else once."""
    bits = np.random.default_rng(seed)
    domains = tuple("ab"[int(one)] for one in bits.integers(0, 2, count))
    chances = np.array([[0.8, 0.2] if domain == "a" else [0.2, 0.8] for domain in domains])
    return Tasks(("one", "two"), [blank(1)] * count, domains, (bits.random((count, 2)) < chances).astype(float))


def test_where_domains_differ_the_chooser_beats_the_best_single_model() -> None:
    """On what was held out it comes near the model that is right for each domain; nothing beats the best of each task."""
    course = walked(planted(), seed=3)

    assert course.held > course.held_before + 0.15
    assert course.held <= course.held_oracle
    assert course.stream > course.everybody


def test_where_models_are_alike_nothing_is_gained() -> None:
    """With one score for all, chooser, best single and random are the same."""
    tasks = planted()._replace(scores=np.full((300, 2), 0.5))

    course = walked(tasks, seed=3)

    assert (course.stream, course.best, course.everybody, course.held) == (0.5, 0.5, 0.5, 0.5)


def test_one_order_gives_one_result() -> None:
    """The same seed replays alike, another one does not."""
    assert walked(planted(), 5) == walked(planted(), 5)
    assert walked(planted(), 5) != walked(planted(), 6)


def test_figures_name_what_they_are_compared_with() -> None:
    """Each has the interval of its gain over the same orders."""
    told = figures("planted", planted(count=120), 1)

    assert [one.metric.removeprefix("planted_") for one in told] == [
        "held_out", "held_out_hindsight", "stream", "stream_random", "stream_oracle",
    ]  # fmt: skip
    assert told[0].ahead is not None
    assert told[0].ahead.low > 0
    assert told[4].ahead is not None
    assert told[4].ahead.high < 0
