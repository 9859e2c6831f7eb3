"""What a comment sounds like, and what is not guessed at."""

import re

import pytest

from events.task import Sentiment
from learning.sentiment import MOST_COMMENT_CHARS, Vader
from streams.reading import CommentReader


@pytest.fixture(scope="module")
def reader() -> CommentReader:
    """One reader; its lexicon takes half a second."""
    return CommentReader()


@pytest.mark.parametrize(
    ("comment", "compound"), [("great answer, thanks", 0.7906), ("useless", -0.4215), ("See ticket 12", 0.0)]
)
def test_a_comment_has_its_compound_score(reader: CommentReader, comment: str, compound: float) -> None:
    """The score is the lexicon's, with the model and the version that read it; again it is the same."""
    felt = reader.feel(comment)

    assert isinstance(felt, Sentiment)
    assert felt.compound == compound
    assert re.fullmatch(r"vaderSentiment/3\.\d+\.\d+", felt.model)
    assert CommentReader().feel(comment) == felt


@pytest.mark.parametrize(
    "comment", ["", "12 !!", "Das ist leider völlig falsch gerechnet", "great " * (MOST_COMMENT_CHARS // 6 + 1)]
)
def test_what_cannot_be_read_says_nothing(reader: CommentReader, comment: str) -> None:
    """No words, another language, or too many words: nobody guesses."""
    assert reader.feel(comment) is None


def test_nothing_is_opened_before_the_first_comment() -> None:
    """Intake starts without the lexicon."""
    assert "_vader" not in vars(CommentReader())
    assert Vader().read("fine").flag is None
