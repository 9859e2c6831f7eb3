"""The bench of the chat: scripts as they are written, and what counts as right."""

import random

import pytest
from msgspec import structs

from bench.chat.command import chat
from bench.chat.score import Heard, Turned, holds, right_way, scored, times
from bench.chat.script import HALVES, Half, Line, Script, drawn, lines_of, rounds, strangers, written
from smolit.cli.catalog import COMMANDS


def heard(sort: str, text: str = "fine", kind: str = "response", first_ms: float | None = None) -> Heard:
    """Return an answer that took 100 ms."""
    return Heard(kind, sort, text, None, 100.0, first_ms)


def turned(wanted: str, answer: Heard | None, script: int = 0, answers: int | None = 1, **line: object) -> Turned:
    """Return a turn."""
    return Turned(script, "d", Line(wanted, "x", **line), answer, answers)  # type: ignore[arg-type]


@pytest.mark.parametrize("half", HALVES)
def test_every_script_can_be_played(half: Half) -> None:
    """Each has a wish that there is, a follow-up never comes first, and numbers are worked out."""
    scripts = written(HALVES[half].read_text(encoding="utf-8"))
    lines = list(lines_of(scripts))
    sums = drawn(next(one for one in scripts if one.domain == "arithmetic"), random.Random(1))

    assert len(lines) >= 130
    assert {one.wanted for one in lines} == {"task", "clarify", "talk", "note", "recall", "forget"}
    assert not any(one.lines[0].follows for one in scripts)
    assert all("{" not in line.text for one in scripts for line in drawn(one, random.Random(2)).lines)
    assert [line.holds[0].isdigit() for line in sums.lines if line.holds] == [True, True]


def test_rounds_are_the_same_for_the_same_seed_and_hold_strangers_questions() -> None:
    """At least so many turns, and questions that others wrote among them."""
    found = rounds(300, 7, "read", 300)

    assert found == rounds(300, 7, "read", 300) != rounds(300, 8, "read", 300)
    assert sum(len(one.lines) for one in found) >= 300
    asked = {one.lines[0].text for one in found if one.domain == "strangers"}
    assert asked
    assert asked <= set(strangers())


def test_once_the_model_has_its_turns_only_what_needs_none_is_played() -> None:
    """So a thousand turns take minutes; scripts that were cut do not count for task or talk."""
    found = rounds(400, 7, "unseen", 30)
    cut = [one for one in found if not one.whole]

    assert sum(one.spoken for one in found if one.whole) <= 30
    assert sum(len(one.lines) for one in found) >= 400
    assert cut
    assert not any(line.wanted == "talk" and not line.follows for one in cut for line in one.lines)
    assert not {one.domain for one in cut} & {"questions", "strangers"}
    assert scored([*_both(True), *_both(False)], "unseen", 1, 1, 1.0).task_or_talk.value == 0.5


def _both(whole: bool) -> list[Turned]:
    """Return a task that went the right way, and in a script that was played whole one that did not, too."""
    right, wrong = turned("task", heard("task"), int(whole)), turned("task", heard("talk"), int(whole))
    return [structs.replace(one, whole=whole) for one in ([right, wrong] if whole else [right, right])]


def test_a_wish_that_there_is_not_is_refused() -> None:
    """With the line that has it."""
    with pytest.raises(ValueError, match="'chatter' is none of"):
        written("chatter\thello\n")


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        ("task", heard("task"), True),
        ("task", heard("task", kind="error"), True),
        ("task", heard("talk"), False),
        ("clarify", heard("clarification", kind="clarification"), True),
        ("talk", heard("talk"), True),
        ("talk", heard("task"), False),
        ("note", heard("note"), True),
        ("talk", None, False),
    ],
)
def test_the_right_way_is_to_the_agents_for_tasks_alone(wanted: str, answer: Heard | None, right: bool) -> None:
    """A question back is on the way to them; no answer is no way."""
    assert right_way(turned(wanted, answer)) is right


def test_an_answer_holds_what_it_should_whatever_the_case() -> None:
    """An error holds nothing, even if it quotes the words."""
    assert holds(turned("task", heard("task", "It is 84."), holds=("42", "84")))
    assert holds(turned("task", heard("task", "NEGATIVE"), holds=("negative",)))
    assert not holds(turned("task", heard("task", "84", kind="error"), holds=("84",)))


def test_a_course_is_counted() -> None:
    """Shares, questions back, what was lost or answered twice, threads that are not whole, and times."""
    asked = heard("clarification", "which?", kind="clarification")
    turns = [
        turned("task", heard("task", "84"), 0, holds=("84",)),
        turned("task", heard("task", "no"), 0, follows=True, holds=("90",)),
        turned("task", asked, 1),
        turned("clarify", asked, 2, answers=2),
        turned("clarify", heard("talk", first_ms=40.0), 3),
        turned("talk", heard("talk", first_ms=60.0), 3),
        turned("talk", None, 4, answers=0),
    ]
    course = scored(turns, "read", 4, 1, 12.0)

    assert course.task_or_talk.value == pytest.approx(5 / 7)
    assert (course.clarify_precision.value, course.clarify_recall.value, course.follow_ups.value) == (0.5, 0.5, 0.0)
    assert (course.follow_up_turns, course.lost, course.doubled, course.incomplete_threads) == (1, 1, 1, 2)
    assert course.answered == pytest.approx(6 / 7)
    assert course.first_piece is not None
    assert course.first_piece.p50_ms == 50.0
    assert course.times["all"].turns == 6


def test_times_of_few_turns_are_theirs() -> None:
    """No turn and one turn have no quantiles."""
    assert (times([]).turns, times([5.0]).p99_ms, times([1.0, 3.0]).p50_ms) == (0, 5.0, 2.0)


def test_the_command_is_listed_and_its_scripts_are_enough_for_it() -> None:
    """`smolit bench chat` is this."""
    assert any(one.words == "bench chat" for one in COMMANDS)
    assert chat.__doc__
    assert isinstance(rounds(1, 1, "unseen", 0)[0], Script)
