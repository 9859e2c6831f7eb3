"""Extractive summaries: where sentences end, which are central, and nothing twice."""

import numpy as np
import pytest

from agents.catalog import build
from agents.errors import AgentFailed
from agents.reading.summary import central, chosen, sentences
from bench.agents.summary import DATA, Article, Covered, articles, covered
from events.agent import AgentSpec
from tests.contract.test_agents import do, toolbox

TEXT = "Dr. Hale met Mr. Oduya at 3.30 p.m. today. They spoke. It cost EUR 1.50! Was that all?\n\nNext part without a stop"


def unit(*rows: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return rows of length one."""
    made = np.array(rows, dtype=np.float64)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_sentences_stand_where_they_say() -> None:
    """Titles and numbers end none; an empty line does."""
    found = sentences(TEXT)

    assert [one.text for one in found] == [
        "Dr. Hale met Mr. Oduya at 3.30 p.m. today.",
        "They spoke.",
        "It cost EUR 1.50!",
        "Was that all?",
        "Next part without a stop",
    ]
    assert all(TEXT[one.start : one.end] == one.text for one in found)
    assert sentences("") == sentences(" \n ") == []


def test_what_the_others_agree_with_is_central() -> None:
    """Of three that are alike and one that is not, the middle one of the three ranks first, the stranger last."""
    ranks = central(unit((1, 0.3, 0), (1, 0, 0), (1, -0.3, 0), (0.05, 0, 1)))

    assert ranks.sum() == pytest.approx(1.0)
    assert (int(ranks.argmax()), int(ranks.argmin())) == (1, 3)


def test_nothing_is_said_twice() -> None:
    """A repeated sentence gives way to the next."""
    vectors = unit((1, 0, 0), (1, 0, 0), (0.8, 0.6, 0), (0.8, 0, 0.6))

    assert len({tuple(vectors[number]) for number in chosen(vectors, 2)}) == 2
    assert chosen(vectors, 9) == [0, 1, 2, 3]
    assert chosen(unit((1, 0)), 3) == [0]


def test_articles_of_the_bench_are_whole() -> None:
    """Each has key sentences and others; in some they do not come first."""
    found = articles(DATA.read_text(encoding="utf-8"))

    assert len(found) >= 16
    assert all(2 <= len(one.key) < len(one.sentences) for one in found)
    assert 4 <= sum(0 in one.key for one in found) <= len(found) - 4


def test_what_is_covered_by_hand() -> None:
    """One of two key sentences, and the words that another one shares with them."""
    one = Article(("The bridge is closed.", "It rains.", "The bridge opens in March."), frozenset({0, 2}))

    assert covered(one, [0, 1]) == Covered(1, 2, 2, 4)


async def test_a_summary_is_made_of_the_text() -> None:
    """Offsets are exact; of an empty text there is none."""
    agent = build(AgentSpec("a", "d", ("s",), "summary", {"sentences": 2}), toolbox())
    output = (await do(agent, TEXT, {})).output

    assert (len(output["sentences"]), output["of"]) == (2, 5)
    assert all(TEXT[one["start"] : one["end"]] == one["text"] for one in output["sentences"])
    with pytest.raises(AgentFailed, match="nothing to summarize"):
        await do(agent, " 12 ", {})
