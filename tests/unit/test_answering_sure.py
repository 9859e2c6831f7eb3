"""When the best sentence is given as an answer: what is asked for has to be in it; the stored weights are what a fit gives."""

import pytest

from agents.answering_kind import counted_in, holds_kind, thing_counted
from agents.answering_sure import FITTED, Evidence
from bench.knowledge import corpus
from bench.knowledge.sure_rule import fitted, halved, missed, stored

FIT = stored()


def test_the_stored_weights_are_those_of_the_fit() -> None:
    """Fitting anew on what is stored gives the numbers that the agent has."""
    assert fitted(FIT) == FITTED


def test_what_is_fitted_on_are_the_questions_of_the_first_documents() -> None:
    """Each answerable one is there with its document and without it; none of the held-out ones is."""
    asked = [*corpus.questions(), *corpus.questions(corpus.SECOND / "questions.json")]
    held_out = corpus.questions(corpus.HELD_OUT / "questions.json")
    answerable = {one.question for one in asked if one.document}

    assert {row.question for row in FIT} == {one.question for one in asked}
    assert {row.question for row in FIT if row.without} == answerable
    assert not {one.question for one in asked} & {one.question for one in held_out}
    fitted_on = {*corpus.documents(), *corpus.documents(corpus.SECOND / "documents")}
    assert not fitted_on & set(corpus.documents(corpus.HELD_OUT / "documents"))


def test_held_out_answers_stand_in_their_documents() -> None:
    """At least sixty questions are there, and each answer is found in the document that is named."""
    asked, texts = corpus.questions(corpus.HELD_OUT / "questions.json"), corpus.documents(corpus.HELD_OUT / "documents")

    assert len(asked) >= 60
    assert all(any(answer in texts[one.document] for answer in one.answers) for one in asked if one.document)


def test_the_fit_is_worth_more_than_the_rule_before_on_documents_that_it_was_not_fitted_on() -> None:
    """Fitted on half of the documents it answers more of the others' questions, and invents no more."""
    before, now = (halved(FIT, rule, splits=6) for rule in ("before (050)", "the fit"))

    assert now["right"].value > before["right"].value
    assert now["invented"].value <= before["invented"].value + 0.02
    assert now["wrong"].value < 0.03


def test_every_question_that_can_be_answered_is_counted_once_among_what_became_of_it() -> None:
    """Silence by rule holds all right ones back; always answering gives all that come first."""
    answerable = sum(row.answerable and not row.without for row in FIT)
    silent, always = missed(FIT, lambda _: False), missed(FIT, lambda _: True)

    assert (silent.total(), always.total()) == (answerable, answerable)
    assert (silent["answered"], always["right, and held back"]) == (0, 0)
    assert always["answered"] == silent["right, and held back"] == sum(row.right for row in FIT)


@pytest.mark.parametrize("name", ["near", "near_there", "soft", "worst", "codes", "holds", "counted"])
def test_more_evidence_makes_it_likelier(name: str) -> None:
    """What speaks for a sentence counts for it; what it lacks counts against it."""
    less = dict.fromkeys(Evidence.__struct_fields__, 0.5)

    assert FITTED.chance(Evidence(**{**less, name: 1.0})) > FITTED.chance(Evidence(**less))
    assert FITTED.chance(Evidence(**{**less, "lacks": 1.0})) < FITTED.chance(Evidence(**less))


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("How many books are there?", "It has 4,000 old books and two halls.", {"old", "books", "halls"}),
        ("How many people may enter?", "At most eighteen.", set()),
        ("What does it cost?", "It costs 3 euros.", None),
    ],
)
def test_what_is_counted_are_the_words_behind_a_number(question: str, sentence: str, words: set[str] | None) -> None:
    """Two behind each; a question that wants no number of things has none."""
    assert (thing_counted(question) is None) == (words is None)
    assert words is None or words <= counted_in(sentence)


@pytest.mark.parametrize(
    ("question", "sentence", "held"),
    [
        ("How much does it weigh?", "It weighs 24 kilograms.", 1.0),
        ("How much does it weigh?", "It draws 650 watts.", 0.0),
        ("What does the soup cost?", "The soup is 2.20 euros.", 1.0),
        ("What does the soup cost?", "The soup is green.", 0.0),
        ("Who leads the hall?", "The hall is led by Moira Castellan.", 1.0),
        ("Who leads the hall?", "The hall is large.", 0.0),
        ("Who pays for the way back?", "If it is broken, Nordlicht pays for it.", 1.0),
        ("Who repairs the lifts?", "The lifts are inspected in April.", 0.0),
        ("Can I pay with coins?", "Cash is not taken.", 0.5),
        ("When was the firm founded?", "It was founded in 1968.", 1.0),
        ("When was the firm founded?", "It has 12 halls.", 0.0),
        ("How often is it cleaned?", "Clean it every six months.", 1.0),
        ("Which colour is the door?", "The door is of steel.", 0.0),
        ("Is it allowed to smoke?", "Nobody may smoke.", 0.5),
    ],
)
def test_what_is_asked_for_is_looked_for(question: str, sentence: str, held: float) -> None:
    """Money for a price, a name for a person; nothing is said where the question does not tell."""
    assert holds_kind(question, sentence) == held
