"""Exact arithmetic, and every way out of it that we could think of."""

import builtins
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.expression import ExpressionRefused, evaluate, shown
from agents.question import expression_in
from agents.spec import load
from smolit.process.prepare import SPECS

# What escapes are made of: each tells the file system or the process if it is ever executed.
_PAYLOADS = (
    "__import__('os').system('touch {mark}')",
    "open('{mark}', 'w')",
    "exec(\"open('{mark}', 'w')\")",
    "eval(\"open('{mark}', 'w')\")",
    "compile('1', '', 'eval')",
    "().__class__.__bases__[0].__subclasses__()",
    "(1).__class__.__mro__[1].__subclasses__()",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "(lambda: open('{mark}', 'w'))()",
    "globals()",
    "locals()['__builtins__']",
    "getattr(1, 'real')",
    "setattr(1, 'real', 2)",
    "print(1)",
    "input()",
    "breakpoint()",
    "exit()",
    "quit()",
    "help()",
    "vars()",
    "dir()",
    'f\'{{open("{mark}", "w")}}\'',
    "'a' * 10",
    "b'a' * 10",
    "'%s' % open('{mark}', 'w')",
    "'{{}}'.format(open('{mark}', 'w'))",
    "[1, 2][0]",
    "{{1: 2}}[1]",
    "{{1, 2}}",
    "(1, 2)",
    "x",
    "x := 1",
    "(x := open('{mark}', 'w'))",
    "1 if open('{mark}', 'w') else 2",
    "1 and open('{mark}', 'w')",
    "not open('{mark}', 'w')",
    "1 < 2",
    "1 == 1",
    "1 in [1]",
    "1 is 1",
    "True",
    "None",
    "...",
    "1j",
    "1 @ 2",
    "1 & 2",
    "1 | 2",
    "1 << 1000000000",
    "1 >> 1",
    "~1",
    "await x",
    "(yield 1)",
    "*x",
    "0x10",
    "0b11",
    "1e400",
    "1e-400",
)
# How they are smuggled in: as they are, beside a sum, inside one, after one, in a question.
_FRAMES = ("{0}", "1 + {0}", "({0})", "1 + 1; {0}", "What is {0}?", "1\n{0}")


def escapes(mark: Path) -> Iterator[str]:
    """Yield every payload in every frame."""
    for payload in _PAYLOADS:
        for frame in _FRAMES:
            yield frame.format(payload.format(mark=mark))


def test_no_escape_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the escape attempts is refused by the evaluator, and none is executed."""
    mark = tmp_path / "executed"
    heard: list[str] = []
    for name in ("print", "input", "breakpoint", "open", "eval", "exec", "__import__"):
        monkeypatch.setattr(builtins, name, lambda *_args, _name=name, **_kw: heard.append(_name))
    attempts = list(escapes(mark))

    refused = sum(_is_refused(evaluate, attempt) for attempt in attempts)
    monkeypatch.undo()

    assert len(attempts) >= 200
    assert refused == len(attempts)
    assert heard == []
    assert not mark.exists()


def test_no_escape_is_found_in_a_question(tmp_path: Path) -> None:
    """Nor does the question's reader hand one on: what it cannot read in full, it refuses."""
    mark = tmp_path / "executed"
    let_through = [text for text in escapes(mark) if not _is_refused(_answer, text)]

    assert let_through == []
    assert not mark.exists()


def _answer(text: str) -> Fraction:
    """Read and evaluate, as the agent does."""
    return evaluate(expression_in(text))


def _is_refused(read: object, text: str) -> bool:
    """Say whether a text is refused by name; any other error fails the test."""
    try:
        read(text)  # type: ignore[operator]
    except ExpressionRefused:
        return True
    return False


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("12 * (3 + 4)", Fraction(84)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("1 / 3 * 3", Fraction(1)),
        ("-2 ** 2", Fraction(-4)),
        ("2 ** -2", Fraction(1, 4)),
        ("7 // 2 + 7 % 2", Fraction(4)),
        ("+ 5 - -5", Fraction(10)),
        ("1_000 + .5", Fraction(2001, 2)),
        ("0 ** 0", Fraction(1)),
    ],
)
def test_arithmetic_is_exact(expression: str, value: Fraction) -> None:
    """Numbers are what is written, not the nearest float."""
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    ["1 / 0", "1 // 0", "1 % 0", "0 ** -1", "2 ** 0.5", "9 ** 9 ** 9", "10 ** 1001", "9" * 501, "-" * 100 + "1", ""],
)
def test_what_has_no_bounded_value_is_refused(expression: str) -> None:
    """Division by zero, roots, towers of exponents, depth and length are refused."""
    with pytest.raises(ExpressionRefused):
        evaluate(expression)


def test_the_worst_expression_is_quick() -> None:
    """The bounds on size bound the time: the costliest expressions take far less than an agent's timeout."""
    costly = ["*".join(["9" * 30] * 16), "+".join(f"1/{n}" for n in range(1, 120)), "(9**999)%(7**999)*(8**99)"]

    began = time.process_time()
    for expression in costly:
        _is_refused(evaluate, expression)

    assert time.process_time() - began < 1.0


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.sampled_from("+-*"))
def test_whole_numbers_agree_with_python(left: int, right: int, sign: str) -> None:
    """Sums, differences and products of whole numbers are Python's own."""
    expected = {"+": left + right, "-": left - right, "*": left * right}[sign]

    assert evaluate(f"({left}) {sign} ({right})") == expected


@given(st.text(max_size=80))
def test_any_text_is_either_refused_or_a_number(text: str) -> None:
    """No text gets any other error out of reader and evaluator."""
    outcome = "refused" if _is_refused(_answer, text) else "number"

    assert outcome in ("refused", "number")
    assert sys.getrecursionlimit() >= 1000


def test_values_are_shown_exactly_or_as_a_fraction() -> None:
    """A decimal that ends is written out; one that does not is a fraction with twelve digits beside it."""
    assert shown(Fraction(3, 8)) == {"value": "0.375", "exact": True}
    assert shown(Fraction(-84)) == {"value": "-84", "exact": True}
    assert shown(Fraction(2, 3)) == {"value": "2/3", "decimal": "0.666666666667", "exact": False}
    assert shown(Fraction(10) ** 300)["value"] == "1" + "0" * 300


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What is 12 * (3 + 4)?", 84),
        ("what's 2^10", 1024),
        ("Calculate 7 times 6.", 42),
        ("Please work out 10 divided by 4", Fraction(5, 2)),
        ("What is 17 percent of 240?", Fraction(204, 5)),
        ("compute 19 % VAT of 240", Fraction(228, 5)),
        ("add 8 to 42.", Fraction(50)),
        ("Subtract 5 from 12", Fraction(7)),
        ("multiply 3 by 4", Fraction(12)),
        ("Teile 12 durch 8", Fraction(3, 2)),
        ("Berechne 12,5 Prozent von 1.200", 150),
        ("15% of 20 + 4", 7),
        ("How much is 1,000 + 2.5?", Fraction(2005, 2)),
        ("12 × 3 ÷ 4 − 1 = ?", 8),
        ("Was ist 12 mal 3?", 36),
        ("Wieviel ergibt 3,5 + 1,5?", 5),
        ("Berechne 1.000,5 * 2", 2001),
        ("Was ist 2 hoch 8 geteilt durch 4?", 64),
        ("3 x 4", 12),
        ("1,5 + 1,5", 3),
        ("7", 7),
    ],
)
def test_questions_in_two_languages(question: str, value: Fraction) -> None:
    """Spoken and typographic operators and both ways of writing decimals are understood."""
    assert evaluate(expression_in(question)) == value


@pytest.mark.parametrize(
    "question",
    [
        "",
        "What is the capital of France?",
        "What is 3 plus the number of moons of Mars?",
        "Is 3 + 4 more than 5 apples?",
        "What is 1 + 1? And 2 + 2?",
        "1,000 + 1",
        "import os 1 + 1",
        "1 + 1 # comment",
        "100 / 5 percent of 40",
        "9" * 3000,
    ],
)
def test_what_is_not_one_expression_is_refused(question: str) -> None:
    """A question with several sums, other words or an ambiguous comma is refused, not guessed at."""
    with pytest.raises(ExpressionRefused):
        evaluate(expression_in(question))


def test_what_the_agent_gives_as_examples_it_can_do() -> None:
    """Tasks are matched with them, so one that it cannot do would draw such tasks to it in vain."""
    (spec,) = [one for one in load(SPECS) if one.id == "arithmetic"]

    assert len(spec.examples) >= 8
    assert [shown(evaluate(expression_in(text)))["value"] for text in spec.examples[:3]] == ["40.8", "576", "33"]
    for text in spec.examples:
        evaluate(expression_in(text))
