"""`smolit bench signals`: what counts as a trial and as a rank, and that the tables are what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.selection.course import Course
from bench.selection.learner import Entry
from bench.selection.rank import WINDOW, Rank, _rank, rank
from bench.selection.recurring import _wait, same, thin, trials
from bench.selection.routing import MID9, descriptions, held_out
from bench.selection.variant import LEARNED, NO_MEMORY, variants
from learning.policies import create
from smolit.cli.app import run
from tests.unit.test_bench_selection import routing, write_set


@pytest.mark.parametrize(
    ("picks", "good", "wait"),
    [
        ([0, 0, 1], [True, True, False], 1),  # whoever succeeded has it again at once
        ([0, 1, 0], [True, False, True], 2),
        ([2, 0, 1, 1], [False, True, True, True], 2),  # a second agent that succeeds is proven, too
        ([0, 1, 2], [True, False, False], 3),  # never again: one more than the visits there are
        ([0, 1, 2], [False, False, True], None),  # nothing is left to see
        ([0, 0, 0], [False, False, False], None),
    ],
)
def test_visits_until_a_proven_agent_has_the_text_again(picks: list[int], good: list[bool], wait: int | None) -> None:
    """They are counted from the first success on."""
    assert _wait(np.array(picks), np.array(good)) == wait


def test_rank_is_lost_and_had_back_by_the_favourites_of_a_window() -> None:
    """Half as often the favourite as before counts as lost; tasks are counted from the failure, and from the repair, on."""
    favourite = np.array([True] * 100 + [False] * 100 + [True] * 100)
    tried = np.arange(300) % 2 == 0

    assert _rank(favourite, tried, 100, 200) == Rank(True, WINDOW // 2 + 1, WINDOW // 2, 13)
    assert _rank(~favourite, tried, 100, 200) == Rank(ranked=False)
    assert _rank(np.ones(300, bool), tried, 100, 200) == Rank(True, None, None, None)


def test_memory_saves_trials_where_texts_come_again() -> None:
    """On texts at which the agents differ by chance alone, memory finds who is good at each; without it nobody can."""
    stream = routing(200, 3, seed=2)
    bits = np.random.default_rng(3)
    scores = np.eye(3)[bits.integers(3, size=200)]
    contexts = np.append(bits.standard_normal((200, 24)), np.ones((200, 1)), axis=1)
    again = same(type(stream)(**{**vars(stream), "scores": scores, "contexts": contexts}))
    with_it, without = trials(again, LEARNED, 1), trials(again, NO_MEMORY, 1)

    assert with_it.failed < without.failed - 0.5
    assert with_it.until_proven < without.until_proven
    assert with_it.reward == pytest.approx(1.0 - with_it.failed / 6)


def test_an_agent_that_fails_is_followed_to_its_end() -> None:
    """With a policy that never learns nobody has a rank to lose; one that learns lets the failing agent fall."""
    course = Course(*held_out(routing(900), 0.0))
    found = rank(course, Entry("ridge", "ridge_igw"), 1)

    assert rank(course, Entry("uniform", "uniform"), 1) == Rank(ranked=False)
    assert found.ranked
    assert found.lost is None or found.lost <= 180


def test_variants_are_what_their_names_say() -> None:
    """Alone means that every other signal is off; every variant can be made."""
    by_label = {one.label: one for one in variants()}
    alone = create("three_signals", 5, by_label["match alone"].settings)

    assert [name for name in ("match", "learned", "history", "memory") if alone.settings[name]] == ["match"]
    assert by_label["memory off"].settings == {"memory": 0.0}
    for one in by_label.values():
        create(one.kind, 5, one.settings)


def test_agents_of_the_sets_are_described() -> None:
    """Every agent of the shipped set has a description; they differ."""
    told = descriptions()

    assert set(MID9) <= set(told)
    assert len(set(told.values())) == len(told) - 1  # one model is in both sets under two names


def test_a_changed_text_keeps_most_of_its_words() -> None:
    """Some words go, never all of them."""
    bits, words = np.random.default_rng(1), " ".join(f"word{number}" for number in range(200))

    assert 150 <= len(thin(words, bits).split()) < 200
    assert all(thin("alone", bits) == "alone" for _ in range(50))


def test_the_command_prints_its_tables_and_writes_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Variants, memory and rank stand in tables and in the file; a part that is not there is refused by name."""
    write_set(tmp_path)
    common = ["bench", "signals", "--data", str(tmp_path), "--set", "small", "--seeds", "2"]

    assert run([*common, "--json", str(tmp_path / "f")]) == 0
    told, found = capsys.readouterr().out, json.loads((tmp_path / "f").read_text())
    assert list(found["signals"]) == sorted(one.label for one in variants())
    assert found["signals"]["learned weights"]["row"]["over_default"] == {"mean": 0.0, "half": 0.0}
    assert set(found["memory"]) == {"the same text", "changed texts"}
    assert set(found["rank"]) == {"learned weights", "fixed .3/.4/.3", "ridge_igw", "joint_thompson"}
    assert set(found["memory"]["changed texts"]["failed"]) >= {"memory off", "learned weights minus memory off"}
    for part in ("fixed .3/.4/.3", "changed texts", "until proven", "had it back"):
        assert part in told
    assert run([*common, "--only", "nonsense"]) == 2
    assert "there are signals, memory, rank" in capsys.readouterr().err
