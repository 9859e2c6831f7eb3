"""When the best sentence is given as an answer: what is asked for has to be in it; the stored weights are what a fit gives."""

import pytest

from agents.answering_kind import holds_kind
from agents.answering_sure import FITTED, SURE, Evidence
from bench.knowledge import corpus
from bench.knowledge.sure import OLD_SURE, fitted, rules, stored, told_of

FIT = stored()


def test_the_stored_weights_are_those_of_the_fit() -> None:
    """Fitting anew on what is stored gives the numbers that the agent has."""
    assert fitted(FIT) == FITTED


def test_what_is_fitted_on_are_the_questions_of_the_first_documents() -> None:
    """Each answerable one is there with its document and without it; none of the held-out ones is."""
    asked, held_out = corpus.questions(), corpus.questions(corpus.HELD_OUT / "questions.json")
    answerable = {one.question for one in asked if one.document}

    assert {row.question for row in FIT} == {one.question for one in asked}
    assert {row.question for row in FIT if row.without} == answerable
    assert not {one.question for one in asked} & {one.question for one in held_out}
    assert not set(corpus.documents()) & set(corpus.documents(corpus.HELD_OUT / "documents"))


def test_held_out_answers_stand_in_their_documents() -> None:
    """At least sixty questions are there, and each answer is found in the document that is named."""
    asked, texts = corpus.questions(corpus.HELD_OUT / "questions.json"), corpus.documents(corpus.HELD_OUT / "documents")

    assert len(asked) >= 60
    assert all(any(answer in texts[one.document] for answer in one.answers) for one in asked if one.document)


def test_the_fit_invents_less_than_the_rule_before_on_what_it_was_fitted_on() -> None:
    """With two right answers for one that is wrong, it is worth more."""
    given = rules(FIT)
    before, now = (told_of(name, given[name], FIT) for name in ("before: rank from .79", "the fit"))

    assert now.invented.value < before.invented.value / 2
    assert now.worth > before.worth
    assert OLD_SURE > SURE


@pytest.mark.parametrize("name", Evidence.__struct_fields__)
def test_more_evidence_makes_it_likelier(name: str) -> None:
    """No weight is against what speaks for a sentence."""
    less = Evidence(0.5, 0.5, 0.5, 0.5, 0.5)
    more = Evidence(**{**dict.fromkeys(Evidence.__struct_fields__, 0.5), name: 1.0})

    assert FITTED.chance(more) > FITTED.chance(less)


@pytest.mark.parametrize(
    ("question", "sentence", "held"),
    [
        ("How much does it weigh?", "It weighs 24 kilograms.", 1.0),
        ("How much does it weigh?", "It draws 650 watts.", 0.0),
        ("What does the soup cost?", "The soup is 2.20 euros.", 1.0),
        ("What does the soup cost?", "The soup is green.", 0.0),
        ("Who leads the hall?", "The hall is led by Moira Castellan.", 1.0),
        ("Who leads the hall?", "The hall is large.", 0.0),
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
