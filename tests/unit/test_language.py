"""The language tag of short texts."""

import json
from pathlib import Path

import pytest

from learning.language import LANGUAGES, UNKNOWN, LanguageTagger

LABELLED = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def tagger() -> LanguageTagger:
    """Open the model once for this module."""
    return LanguageTagger.load()


def test_short_sentences_are_tagged(tagger: LanguageTagger) -> None:
    """At least 95 % of 62 short sentences in eleven languages get their language."""
    labelled: list[list[str]] = json.loads((LABELLED / "labelled_languages.json").read_text(encoding="utf-8"))

    wrong = [(language, text, tagger.tag(text)) for language, text in labelled if tagger.tag(text) != language]

    assert {language for language, _ in labelled} == set(LANGUAGES)
    assert len(wrong) <= 0.05 * len(labelled), wrong


def test_the_labelled_tasks_are_tagged(tagger: LanguageTagger) -> None:
    """At least nine in ten of the labelled German and English tasks that hold words get their language."""
    tasks = json.loads((LABELLED / "labelled_tasks.json").read_text(encoding="utf-8"))["tasks"]
    spoken = [task for task in tasks if any(part.isalpha() for part in task["text"].split())]

    right = [tagger.tag(task["text"]) == task["language"] for task in spoken]

    assert len(spoken) > 60
    assert sum(right) >= 0.9 * len(right), f"{sum(right)} of {len(right)}"


@pytest.mark.parametrize("text", ["", "   ", "12*3+4", "???", "a", "x = 3", "3 4 5", "\0\0", "\ud800"], ids=ascii)
def test_without_words_there_is_no_language(tagger: LanguageTagger, text: str) -> None:
    """Numbers, signs and broken characters are tagged as unknown, not guessed."""
    assert tagger.tag(text) == UNKNOWN


def test_a_long_text_is_tagged_by_its_beginning(tagger: LanguageTagger) -> None:
    """A megabyte takes no longer than a page, because only its beginning is read."""
    german = "Der Zug fährt um acht Uhr ab. " * 40

    assert tagger.tag(german + "The train leaves at eight. " * 40_000) == "de"
