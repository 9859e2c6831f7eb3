"""The front agent's mind: task or talk, what is remembered, what is missing, and what a model is given."""

import base64
from pathlib import Path
from typing import Any

import pytest

from agents.context import Part, choose, counter, cut
from agents.front import words
from agents.front.asked import asks_memory, direct_answer
from agents.front.brought import text_of
from agents.front.decide import AskBack, Do, Helper, Leave, Note, Recall, Talk, Turn, decide, nobody
from agents.front.remember import told
from agents.front.shown import shown
from agents.front.sort import Sorted, Sorter, labelled
from agents.front.summary import summary
from bench.agents.front import DATA, measure
from learning.hashed import HashedEncoder

CALCULATOR = Helper("arithmetic", "Calculates numbers. Rechnet.", ("arithmetic",), 0.5)
RECORDED = Helper("mixtral", "Recorded answers", ("question",), 0.9, ("prompt_id",))
GEOCODER = Helper("geocoder", "Finds a place", ("place",), 0.9, ("city",), asks={"city": "The town that is looked for."})
TASK, TALK = Sorted("task", 0.9), Sorted("talk", 0.1)


def turn(text: str, sorted_as: Sorted = TASK, **fields: Any) -> Turn:
    """Return a turn with one helper that fits."""
    return Turn(**{"text": text, "files": 0, "sorted": sorted_as, "helpers": (CALCULATOR,), **fields})


def count(text: str) -> int:
    """Count words."""
    return len(text.split())


def test_tasks_and_talk_are_told_apart_better_than_by_a_question_mark() -> None:
    """On sentences that none was fitted on, with either encoder that needs no build; none is in both lists."""
    fitted = labelled((Path("agents/front/utterances.tsv")).read_text(encoding="utf-8"))
    test = labelled(DATA.read_text(encoding="utf-8"))
    share = next(one for one in measure(seed=1) if one.metric == "task or talk, accuracy")
    hashed = Sorter.load(HashedEncoder().encode)

    assert len(test) >= 120
    assert not {text for _, text in test} & {text for _, text in fitted}
    assert share.value.low > (share.baseline_value.high if share.baseline_value else 1.0)
    assert sum(hashed.sort(text).sort == label for label, text in test) / len(test) > 0.85


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("Hi, my name is Ann Lee.", ["name"]),
        ("I live in Berlin and my dog is called Rex", ["home", "my:dog"]),
        ("Ich heiße Jörg und ich wohne in Köln.", ["name", "home"]),
        ("Meine Lieblingsfarbe ist Rot", ["my:lieblingsfarbe"]),
        ("I prefer tea over coffee", ["prefers:coffee|tea"]),
        ("I prefer coffee to tea.", ["prefers:coffee|tea"]),
        ("I don't like spinach any more", ["likes:spinach"]),
        ("My manager is Carla, what is yours?", ["my:manager"]),
        ("What is my name?", []),
        ("is my name Ann?", []),
        ("I was wondering what the balance is", []),
        ("What is 3 + 4?", []),
    ],
)
def test_what_people_say_of_themselves_is_read_out(text: str, subjects: list[str]) -> None:
    """The other way round of a preference is about the same, so the later one holds; a question tells nothing."""
    assert [one.subject for one in told(text)] == subjects


def test_what_is_to_be_remembered_is_remembered_in_its_words() -> None:
    """Two notes do not contradict each other; one said twice is the same."""
    one, other, again = (
        told(text)[0] for text in ("Remember that it rains", "remember that it snows", "Please remember: it rains")
    )

    assert (one.text, other.text) == ("it rains", "it snows")
    assert one.subject == again.subject != other.subject


def test_a_turn_goes_where_it_belongs() -> None:
    """A task, talk, something to note, and a question about what was told."""
    assert decide(turn("What is 2 + 3?")) == Do("What is 2 + 3?", "arithmetic")
    assert decide(turn("Hello", TALK)) == Talk("Hello")
    assert isinstance(decide(turn("My name is Ann", TALK)), Note)
    assert decide(turn("What is my name?", TALK)) == Recall("What is my name?")
    assert not asks_memory("What is the total of my file?")


def test_what_is_missing_is_asked_for_and_then_the_task_goes_on() -> None:
    """The second turn is the answer to our question, whatever it looks like; unless the user has had enough."""
    asked = decide(turn("Read the attached scan"))
    assert isinstance(asked, AskBack)

    assert asked.missing == ("file",)
    assert decide(turn("here", TALK, pending=asked.pending, files=1)) == Do("Read the attached scan\nhere", "arithmetic")
    assert decide(turn("never mind", TALK, pending=asked.pending)) == Leave()
    assert isinstance(decide(turn("Is this review good or bad: the following text")), AskBack)


def test_an_agent_that_lacks_its_input_is_not_who_the_task_is_for() -> None:
    """Alone it is asked for; beside one that can, it is passed over."""
    alone = decide(turn("Where is it?", helpers=(GEOCODER,)))

    assert isinstance(alone, AskBack)
    assert alone.missing == ("city",)
    assert "city (The town that is looked for)" in alone.question
    told = turn("Oslo", TALK, helpers=(GEOCODER,), pending="Where is it?", missing=alone.missing)
    assert decide(told) == Do("Where is it?", "place", {"city": "Oslo"})
    assert decide(turn("What is 2 + 3?", helpers=(GEOCODER, CALCULATOR))) == Do("What is 2 + 3?", "arithmetic")


def test_nobody_is_asked_for_a_field_that_is_for_programs() -> None:
    """What the spec does not describe no person can know; whoever needs it is not named as somebody to turn to."""
    assert decide(turn("Who wrote Faust?", helpers=(RECORDED,))) == Do("Who wrote Faust?", None)
    assert "mixtral" not in nobody("Who wrote Faust?", (RECORDED, CALCULATOR)).question


@pytest.mark.parametrize(
    ("text", "files", "kind"),
    [
        ("What is the sum of revenue?", ("text/csv",), "table"),
        ("Forecast the next three months", ("text/csv",), "forecast"),
        ("Summarize this", ("application/pdf",), "team"),
        ("Which names are mentioned in this letter?", ("image/png",), "team"),
        ("Read this scan", ("image/png",), "ocr"),
        ("Summarize this", ("text/plain",), "summary"),
    ],
)
def test_files_say_whose_task_it_is(text: str, files: tuple[str, ...], kind: str) -> None:
    """A table goes to who asks tables, a scan is read before anything else is done with it, a text is what it says."""
    kinds = ("arithmetic", "table", "forecast", "summary", "entities", "ocr", "team")
    helpers = tuple(Helper(one, one, (one,), 0.1) for one in kinds)

    done = decide(turn(text, files=len(files), media=files, helpers=helpers, splits="team"))

    assert isinstance(done, Do)
    assert done.kind == kind


@pytest.mark.parametrize(
    ("content", "media", "read"),
    [
        ("Grüße 🙂".encode(), "text/plain", "Grüße 🙂"),
        (b"\xff\xfe", "text/plain", None),
        (b"a,b", "text/csv", None),
        (b" ", "text/markdown", None),
    ],
)
def test_a_text_file_is_read_as_text(content: bytes, media: str, read: str | None) -> None:
    """Tables are not, nor what is no text."""
    assert text_of([{"media_type": media, "content": base64.b64encode(content).decode()}]) == read
    assert text_of([{"media_type": "text/plain", "content": "%"}]) is None


@pytest.mark.parametrize(
    ("text", "kind", "material"),
    [
        ("Summarize the following text:\nThe loan has instalments of 5 percent over 24 months.", "summary", "The loan has"),
        ('What is the sentiment of "a bad product"', "sentiment", "a bad product"),
        ("What is the sentiment of 'a bad product'?", "sentiment", None),
    ],
)
def test_what_is_asked_says_the_kind_and_what_it_is_about_stands_apart(text: str, kind: str, material: str | None) -> None:
    """Words of the material are no signs, and the request is no part of what is worked on."""
    seen = shown(text)

    assert seen is not None
    assert (seen.kind, seen.missing) == (kind, None)
    assert (seen.material or "").startswith(material or "")
    assert material is not None or seen.material is None


def test_what_is_near_to_nobody_is_for_an_assistant_or_asked_back() -> None:
    """Without one the house's selector says that nobody fits, and the user is told who is there."""
    far = Helper("arithmetic", "Calculates numbers. Rechnet.", ("arithmetic",), 0.05)
    helper = Helper("llm", "Answers", ("assistant",), 0.01)

    assert decide(turn("Who wrote Faust?", helpers=(far, helper))) == Do("Who wrote Faust?", "assistant")
    assert decide(turn("Who wrote Faust?", helpers=(far,))) == Do("Who wrote Faust?", None)
    assert "arithmetic: Calculates numbers" in nobody("x", [far]).question
    assert "No agent is there" in nobody("x", []).question


def test_a_question_that_names_its_subject_is_answered_by_it() -> None:
    """Whatever the vectors say."""
    known = {"name": "", "home": "", "my:dog": "", "my:favourite-colour": ""}

    assert direct_answer("Wie heiße ich?", known) == "name"
    assert direct_answer("Where do I live?", known) == "home"
    assert direct_answer("What is my favourite colour?", known) == "my:favourite-colour"
    assert direct_answer("What is my shoe size?", known) is None


def test_a_context_never_has_more_than_its_budget() -> None:
    """What must be there is there, then what is most useful; what has no room is counted."""
    parts = [
        Part("system", "a b"),
        Part("memory", "c d e", 0.9),
        Part("user", "f g h i", 0.2),
        Part("memory", "j", 0.5),
        Part("question", "k l"),
    ]
    chosen = choose(parts, 8, count)

    assert [part.text for part in chosen.parts] == ["a b", "c d e", "j", "k l"]
    assert (chosen.report.used, chosen.report.left_out) == (8, 1)
    assert chosen.report.by_sort == {"memory": 4, "question": 2, "system": 2}
    assert all(choose(parts, budget, count).report.used <= budget for budget in range(12))


def test_a_question_that_is_too_long_keeps_its_end() -> None:
    """What was asked stands there."""
    assert cut("one two three four", 2, count) == "three four"
    assert choose([Part("question", "one two three")], 2, count).parts[0].text == "two three"


def test_a_long_talk_is_summed_up_within_the_budget() -> None:
    """By the encoder's own tokens; the question is always there, and what stood in the middle is in the summary."""
    talk = [
        words.Line(number % 2 == 0, f"Invoice {number} of the bakery is due and the bakery waits for invoice {number}.")
        for number in range(60)
    ]
    chosen = words.context("Which invoice is due?", talk, [words.Remembered("m1", "I own a bakery", 0.5)], counter(), 300)

    assert chosen.report.used <= 300
    assert [part.text for part in chosen.of("question")] == ["Which invoice is due?"]
    assert chosen.of("summary")[0].text.startswith("Before: Invoice")
    assert [part.id for part in chosen.of("memory")] == ["m1"]
    assert words.messages(chosen)[0].role == "system"
    assert words.messages(chosen)[-1].content == "Which invoice is due?"


def test_a_summary_keeps_what_is_said_most() -> None:
    """Sentences as they were said, in their order."""
    said = ["The train leaves at six.", "Birds sing.", "The train to Rome leaves late.", "We take the train that leaves late."]

    assert summary(said, 13, count) == "The train to Rome leaves late. We take the train that leaves late."


@pytest.mark.parametrize(
    ("text", "missing", "kind"),
    [
        ("What is 12 * 7?", ("text",), "arithmetic"),
        ("12 * 7 is what they wrote", ("text",), "summary"),
        ("The loan costs 5 percent over 24 months.", ("text",), "summary"),
        ("What is 12 * 7?", ("numbers",), "summary"),
    ],
)
def test_whoever_asks_for_something_else_is_not_taken_to_bring_what_was_missing(
    text: str, missing: tuple[str, ...], kind: str
) -> None:
    """Only a short and whole request of another kind; everything else is what we asked for."""
    helpers = tuple(Helper(one, one, (one,), 0.1) for one in ("arithmetic", "finance", "summary"))

    done = decide(turn(text, helpers=helpers, pending="Summarize this text", missing=missing))

    assert isinstance(done, Do)
    assert done.kind == kind
    assert (done.text == text) is (kind == "arithmetic")
