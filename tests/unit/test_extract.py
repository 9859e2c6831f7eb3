"""Facts by a model: only what was said is kept, under the subjects of the rules; and what somebody wants forgotten."""

from pathlib import Path
from typing import Any

import pytest

from agents.front import extract
from agents.front.decide import Forget, decide
from agents.front.forgetting import meant
from agents.front.recollect import Memory
from agents.front.remember import Said, to_forget, told
from smolit.errors import SettingInvalid
from smolit.settings import load_settings
from tests.builders import moment
from tests.unit.test_front import TALK, turn


def fact(about: str, value: str, quote: str = "", what: str = "") -> dict[str, Any]:
    """Return what a model proposes."""
    return {"about": about, "what": what, "value": value, "quote": quote}


def kept(text: str, *facts: dict[str, Any]) -> list[Said]:
    """Return what is kept of proposals."""
    return extract.kept(text, {"facts": list(facts)})[0]


def test_what_was_not_said_is_dropped() -> None:
    """A value has to stand in the turn, as words of its own."""
    text = "No, I moved to Graz last week"
    said, dropped = extract.kept(
        text, {"facts": [fact("home", "Vienna", "I moved to Vienna"), fact("name", "Gra", text), fact("home", "graz", text)]}
    )

    assert said == [Said("home", text)]
    assert [(one.value, one.reason) for one in dropped] == [("Vienna", "not said"), ("Gra", "not said")]


def test_only_words_of_the_turn_or_a_fixed_sentence_are_remembered() -> None:
    """A quotation that was not said, or says nothing by itself, gives way to a sentence around the value."""
    assert kept("nope, Graz!", fact("home", "Graz", "I live in Graz with Eva")) == [Said("home", "I live in Graz")]
    assert kept("nope, Graz!", fact("home", "Graz", "Graz")) == [Said("home", "I live in Graz")]
    assert kept("the dog's called Rex now", fact("other", "Rex", "Rex is mine", "dog")) == [Said("my:dog", "My dog is Rex")]
    assert kept("it's 4711", fact("other", "4711", "", "locker code")) == [Said("my:locker-code", "4711")]
    assert kept("it's 4711", fact("other", "4711")) == []


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("I live in Oslo", fact("home", "Oslo")),
        ("my name is Ann", fact("name", "Ann")),
        ("I am allergic to peanuts", fact("allergy", "peanuts")),
        ("I like rainy days", fact("likes", "rainy days")),
        ("I prefer tea over coffee", fact("prefers", "tea over coffee")),
        ("my dog is Rex", fact("other", "Rex", "", "dog")),
        ("my birthday is 3 May", fact("other", "3 May", "", "birthday")),
    ],
)
def test_a_model_names_what_it_finds_as_the_rules_do(text: str, proposed: dict[str, Any]) -> None:
    """So that one corrects what the other read out."""
    assert [one.subject for one in kept(text, proposed)] == [one.subject for one in told(text)]


def test_the_turn_is_quoted_to_the_model_and_stands_last() -> None:
    """With what is known and what was said before, so that a correction can be told."""
    system, user = extract.messages("no, Graz", "You live in Linz, I think.", ["I live in Linz"])

    assert (system.role, user.role) == ("system", "user")
    assert user.content.endswith("The text:\nno, Graz")
    assert "I live in Linz" in user.content


HOME = Memory("1", "home", "I live in Oslo", moment(0))
DOG = Memory("2", "my:dog", "my dog is Rex", moment(0))
NUTS = Memory("3", "allergy:peanuts", "I am allergic to peanuts", moment(0))
NOTE = Memory("4", "note:ab12", "the code of the gate is 7712", moment(0))
KNOWN = [HOME, DOG, NUTS, NOTE]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Forget where I live", "1"),
        ("please forget that I live in Oslo.", "1"),
        ("Vergiss bitte, wo ich wohne", "1"),
        ("You can forget about my dog", "2"),
        ("Forget that I'm allergic to peanuts", "3"),
        ("forget my gate code", "4"),
        ("Forget everything you know about me", "1234"),
        ("Vergiss alles über mich", "1234"),
        ("forget my shoe size", ""),
        ("forget that I have a code and a gate and a cat", ""),
    ],
)
def test_what_somebody_wants_forgotten_is_found(text: str, ids: str) -> None:
    """What is named, said, or the only one with these words; what is not known is not guessed."""
    what = to_forget(text)
    assert what is not None

    assert "".join(one.memory_id for one in meant(what, KNOWN)) == ids


@pytest.mark.parametrize("text", ["forget it", "Forget about the invoice", "don't forget my birthday", "I always forget my keys"])
def test_not_everything_with_the_word_is_a_wish_to_forget(text: str) -> None:
    """What is not about the speaker, or is about remembering, stays what it was."""
    assert to_forget(text) is None


def test_only_a_back_end_that_there_is_reads_facts_out(tmp_path: Path) -> None:
    """The model on this machine is none for this, and nobody is by default."""
    given: dict[str, Any] = {"data_dir": tmp_path, "llm_url": "big=http://127.0.0.1:1/v1", "llm_model": "m"}

    assert load_settings(**given).memory_llm == ""
    assert load_settings(**given, memory_llm="big").memory_llm == "big"
    for name in ("local", "small"):
        with pytest.raises(SettingInvalid, match="is no back end of SMOLIT_LLM_URL"):
            load_settings(**given, memory_llm=name)


def test_a_wish_to_forget_is_decided_before_anything_else() -> None:
    """It is no task, no note and no question."""
    assert decide(turn("Forget that I live in Oslo", TALK)) == Forget("that I live in Oslo")
