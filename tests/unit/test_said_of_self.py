"""What people say of themselves: read clause by clause, and what only looks like it is left alone."""

import pytest

from agents.front.asked import direct_answer
from agents.front.clause import clauses
from agents.front.decide import AskBack, Do, Helper, Note, decide
from agents.front.remember import asked_to_remember, besides, told
from bench.agents import remember
from tests.unit.test_front import TALK, turn


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Call me Jo, everybody does", {"name": "Call me Jo, everybody does"}),
        ("I moved to Ghent last year", {"home": "I moved to Ghent last year"}),
        ("My daughter is called Ida", {"my:daughter": "My daughter is called Ida"}),
        ("We use Postgres 16 at work", {"uses:postgres-16": "We use Postgres 16 at work"}),
        ("My sister Ines lives in Porto and I work nights", {"my:sister": "My sister Ines lives in Porto"}),
        ("My cat is called Tom and I work for a bank", {"my:cat": "My cat is called Tom", "work": "I work for a bank"}),
        ("My doctor is Frau Dr. Weiss.", {"my:doctor": "My doctor is Frau Dr. Weiss"}),
        ("I'm 34, by the way", {"age": "I'm 34, by the way"}),
        ("I come from Malta", {"home:from": "I come from Malta"}),
        ("Ich heiße Annika und komme aus Bremen", {"name": "Ich heiße Annika", "home:from": "komme aus Bremen"}),
        ("Meine Katze heißt Mimi", {"my:katze": "Meine Katze heißt Mimi"}),
    ],
)  # fmt: skip
def test_each_clause_says_one_thing(text: str, said: dict[str, str]) -> None:
    """In the words in which it was said; where one comes from does not contradict where one lives."""
    assert {one.subject: one.text for one in told(text)} == said


@pytest.mark.parametrize(
    "text",
    [
        "If I lived in Rome I would be happy",
        "My customer says: I live in Paris",
        "Rewrite this: I'm Peter. I love dogs.",
        'Translate "my name is Carl" into French',
        "He says I live in Rome",
        "Call me when it is done",
        "I'm 90 percent sure",
        "I work on it",
        "I moved the file to the archive",
        "I don't live in London",
        "I'd prefer a shorter version",
        "I like that answer",
        "I have two questions",
        "Don't forget to add the tax",
        "Note that the second column is in euros",
        "Ich bin müde",
        "Ich ziehe das zurück",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """Others' words, conditions, wishes of the moment, moods: a wrong fact is worse than none."""
    assert told(text) == []


def test_a_question_names_the_memory_that_it_is_about() -> None:
    """Where one comes from is not where one lives, and how old the cat is not one's own age."""
    known = {"home:from": "I come from Malta", "home": "I live in Oslo", "age": "I am 34", "allergy:nuts": "I have a nut allergy"}

    assert direct_answer("Where do I live?", known) == "home"
    assert direct_answer("Where do I come from?", known) == "home:from"
    assert direct_answer("What can I not eat?", known | {"diet": "I'm vegan"}) == "allergy:nuts"
    assert direct_answer("How old is my cat?", known) is None
    assert direct_answer("How old am I?", known) == "age"


def test_what_leads_to_a_clause_is_none_of_it() -> None:
    """Neither greetings nor fillers; what stands behind a colon is somebody's material, unless it is to be noted."""
    assert list(clauses("Hi, by the way I live in Oslo, and my cat is old.")) == ["I live in Oslo", "my cat is old"]
    assert list(clauses("Compare: I live in Oslo. I like it")) == []
    assert list(clauses("Remember: it rains")) == ["it rains"]


def test_a_turn_that_tells_and_asks_is_done_and_remembered() -> None:
    """The task is what stands besides; a question that only follows a fact is no task."""
    decided = decide(turn("My name is Ann, what is 3 + 4?"))

    assert isinstance(decided, Do)
    assert (decided.text, [one.subject for one in decided.said]) == ("what is 3 + 4?", ["name"])
    assert besides("Compute 3 * 4. My name is Ann, by the way.") == "Compute 3 * 4."
    assert isinstance(decide(turn("My manager is Carla, what is yours?", TALK)), Note)


def test_what_is_to_be_remembered_in_so_many_words_is_whatever_it_looks_like() -> None:
    """Also where a digit makes it look like a task; `remember to` and a question ask for nothing to be kept."""
    decided = decide(turn("Remember that the alarm code is 8841"))

    assert isinstance(decided, Note)
    assert decided.said[0].text == "the alarm code is 8841"
    assert asked_to_remember("Remember to breathe") is None
    assert asked_to_remember("Do you remember that it rained?") is None


@pytest.mark.parametrize("half", ["read", "unseen"])
def test_hardly_anything_wrong_is_remembered(half: remember.Half) -> None:
    """Of turns in which people say something of themselves, and of as many that only look like it."""
    labelled = remember.turns(half)
    read = remember.summed("rules", half, labelled, [remember.by_rules(one.text) for one in labelled])

    assert read.precision.value >= 0.95
    assert read.recall.value >= 0.9
    assert read.silent >= 0.97


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Can you calculate something for me?", "numbers"),
        ("What would my loan cost?", "numbers"),
        ("Could you give me a summary of the text below?", "text"),
        ("Is this comment rather positive or negative?", "text"),
        ("What is the total on this receipt?", "file"),
        ("Is this review positive or negative: this text", "text"),
        ("Can you forecast next month?", "numbers"),
    ],
)
def test_what_a_kind_of_task_cannot_be_done_without_is_asked_for(text: str, missing: str) -> None:
    """By name, also where the turn would be taken for talk."""
    kinds = ("arithmetic", "finance", "summary", "sentiment", "ocr", "forecast")
    asked = decide(turn(text, TALK, helpers=tuple(Helper(kind, kind, (kind,), 0.1) for kind in kinds)))

    assert isinstance(asked, AskBack)
    assert asked.missing == (missing,)
