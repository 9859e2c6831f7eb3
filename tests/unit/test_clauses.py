"""What a text asks for: requests, what they are about, and which needs the result of which."""

from time import process_time

import pytest

from agents.team.clauses import clauses
from agents.team.goal import planned
from agents.team.suiting import Suited
from bench.agents.text_goals import cut, text_goals

TWO = [
    ("Work out 6 * 7, then add 8 to the result.", ("Work out 6 * 7", "add 8 to the result.")),
    ("1. What is 3 * 4? 2. Write a poem.", ("What is 3 * 4?", "Write a poem.")),
    ("- Find the names\n- Write a poem", ("Find the names", "Write a poem")),
    (
        "Say whether 'good, and then bad' is positive, and what 5 + 5 is",
        ("Say whether 'good, and then bad' is positive", "what 5 + 5 is"),
    ),
    ("Fasse den Text zusammen und berechne dann 19 % von 240.", ("Fasse den Text zusammen", "berechne 19 % von 240.")),
    ("What is 12 + 5? How many days are left?", ("What is 12 + 5?", "How many days are left?")),
]
ONE = [
    "What is the sum of 3 and 4?",
    "I went home and then slept. It was good.",
    "Who painted the Mona Lisa?",
    "Tell me who wrote Faust and what it is about.",
    "Summarise 'first do this, then write that'",
    "2. March was cold 3. April was not",
]


@pytest.mark.parametrize(("text", "parts"), TWO)
def test_requests_are_told_apart(text: str, parts: tuple[str, ...]) -> None:
    """By numbers, dashes, sentences, `and` before a request, and `then`, in two languages."""
    assert tuple(one.text for one in clauses(text).found) == parts


@pytest.mark.parametrize("text", ONE)
def test_what_is_not_plainly_several_stays_whole(text: str) -> None:
    """Stories, quotes and enumerations of things are no requests."""
    assert tuple(one.text for one in clauses(text).found) == (text,)


def test_what_they_are_about_goes_to_those_that_refer_to_it() -> None:
    """A text after a colon or an empty line is for `this` and `it`, not for a sum beside it."""
    found = clauses("Is this review positive or negative: Never again, I say. Also compute 3 * 4.").found

    assert [(one.text, one.about) for one in found] == [
        ("Is this review positive or negative.", "Never again, I say."),
        ("Also compute 3 * 4.", None),
    ]


def test_a_result_is_used_where_it_is_named() -> None:
    """`The result` is that of the request before; `then` alone only comes after it."""
    first, second, third = clauses("Compute 3 * 4, then translate the result into German, then compute 5 + 5.").found

    assert (first.uses, second.uses, third.uses) == ((), (0,), ())
    assert (second.after, third.after) == ((), (1,))


@pytest.mark.parametrize(
    "text",
    [
        "please " * 560 + "x",
        "compute 1 and " * 280,
        "Tell me this" + ", " * 1_900,
        "'a " * 40_000,
        "Say this: " + "Also compute 3. " * 20_000,
    ],
)
def test_a_hostile_text_is_looked_through_quickly(text: str) -> None:
    """No pattern takes a time that grows fast with the text."""
    began = process_time()

    clauses(text)

    assert process_time() - began < 2


def suit(text: str) -> Suited | None:
    """Know sums and poems."""
    if any(sign.isdigit() for sign in text):
        return Suited("sums", 0.9)
    return Suited("talk", 0.9, general=True) if "poem" in text else None


def test_a_plan_has_a_step_for_each_request_and_hands_results_on() -> None:
    """What is used stands in the place of `the result`, and is the agent's `input.text`."""
    plan = planned("Compute 3 * 4, then add 5 to the result. Write a poem.", suit)

    assert plan is not None
    assert [(one.kind, one.text) for one in plan.steps] == [
        ("sums", "Compute 3 * 4"),
        ("sums", "add 5 to ${part1.said}."),
        ("talk", "Write a poem."),
    ]
    assert plan.steps[1].input == {"text": "${part1.said}"}


@pytest.mark.parametrize(
    "text",
    [
        "Write a poem. Write a poem in French.",  # a general agent does both in one go
        "Compute 3 + 4. Describe a waltz.",  # nobody clearly does the second
        "Write a poem",  # for a general agent, which needs no plan
        "Compute ${task.input.secret} + 4. Compute 5 + 5.",
    ],
)
def test_what_needs_no_plan_has_none(text: str) -> None:
    """A text is not split where one agent does it, or nobody is known for a part."""
    assert planned(text, suit) is None


def test_labelled_texts_are_split_as_the_docs_say() -> None:
    """Those that the rules were not made with, too; a split that should not be is counted against it."""
    found = [one for one in cut(text_goals()) if one.goal.unseen and one.split]

    assert sum(one.right for one in found) / len(found) >= 0.8
    assert sum(one.right for one in found) >= 10
