"""Arithmetic: generated questions in English and German with their exact values, what is none, and attempts to escape."""

import random
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from agents.expression import ExpressionRefused, evaluate
from agents.question import expression_in
from bench.agents.figure import Figure
from bench.agents.share import share

WORKER = "arithmetic"
QUESTIONS = 600
_ENGLISH = ("What is {0}?", "Calculate {0}.", "how much is {0}", "Please work out {0}", "{0} = ?", "Can you tell me what {0} is?")
_GERMAN = ("Was ist {0}?", "Berechne {0}.", "Wie viel ist {0}?", "Wieviel ergibt {0}?", "Bitte rechne {0} aus", "Was ergibt {0}?")
_WORDS = {"+": ("plus", "plus"), "-": ("minus", "minus"), "*": ("times", "mal"), "/": ("divided by", "geteilt durch")}
_NOT_ARITHMETIC = (
    "What is the capital of France?",
    "How many people live in 12 countries?",
    "What is 5 apples plus 3 pears?",
    "What is 2 + 2 and what is 3 + 3?",
    "Wie alt ist ein 3 Jahre alter Hund?",
    "What is 10 % of 50 dollars?",
    "Solve x + 2 = 5",
    "What is the square root of 16?",
    "1,234",
    "What is 2 +?",
)
_PAYLOADS = (
    "__import__('os').system('touch {0}')",
    "open('{0}', 'w')",
    "exec(\"open('{0}', 'w')\")",
    "eval(\"open('{0}', 'w')\")",
    "(lambda: open('{0}', 'w'))()",
    "[open('{0}', 'w')][0]",
    "1 if open('{0}', 'w') else 2",
    "(x := open('{0}', 'w'))",
    'f\'{{open("{0}", "w")}}\'',
    "getattr(__builtins__, 'open')('{0}', 'w')",
    "().__class__.__bases__[0].__subclasses__()",
    "9 ** 9 ** 9 ** 9",
    "10 ** 100000000",
    "1 << 10000000000",
    "'a' * 10 ** 10",
    "1e999999999",
    "globals()['open']('{0}', 'w')",
    "print(1)",
    "breakpoint()",
    "exit()",
    "type('X', (), {{'__del__': lambda self: open('{0}', 'w')}})()",
    "yield open('{0}', 'w')",
    "await open('{0}', 'w')",
    "0x7f",
    "True + True",
)
_FRAMES = (
    "{0}",
    "1 + {0}",
    "What is {0}?",
    "Was ist 1 + {0}?",
    "1 + 1; {0}",
    "({0})",
    "2 * ({0}) - 1",
    "1\n{0}",
    "What is 2 + 2? {0}",
)


def expression(rng: random.Random, depth: int) -> tuple[str, Fraction]:
    """Return a random expression as it is written in English, and its value, worked out beside our evaluator."""
    if depth == 0:
        number = rng.choice((rng.randint(0, 99), rng.randint(0, 9_999)))
        tenths = rng.randint(0, 9) if rng.random() < 0.3 else 0
        return (f"{number}.{tenths}", Fraction(number * 10 + tenths, 10)) if tenths else (str(number), Fraction(number))
    (left, one), (right, other) = expression(rng, depth - 1), expression(rng, rng.randint(0, depth - 1))
    sign = rng.choice("+-*/")
    if sign == "/" and other == 0:
        sign = "+"
    value = {"+": one + other, "-": one - other, "*": one * other, "/": one / other if other else one}[sign]
    return f"{_bracketed(left)} {sign} {_bracketed(right)}", value


def _bracketed(text: str) -> str:
    """Return an expression as a part of another."""
    return f"({text})" if any(mark in text for mark in "+-*/") else text


def questions(rng: random.Random, count: int) -> Iterator[tuple[str, Fraction]]:
    """Yield questions, half of them German, a third of them with words in the place of signs."""
    for turn in range(count):
        text, value = expression(rng, rng.randint(1, 3))
        german = turn % 2 == 1
        if german:
            text = text.replace(".", ",")
        if rng.random() < 0.33:
            for sign, words in _WORDS.items():
                text = text.replace(f" {sign} ", f" {words[german]} ")
        yield rng.choice(_GERMAN if german else _ENGLISH).format(text), value


def escapes(mark: Path) -> list[str]:
    """Return every payload in every frame."""
    return [frame.format(payload.format(mark)) for payload in _PAYLOADS for frame in _FRAMES]


def answered(text: str) -> Fraction | None:
    """Return the value, or None where the question is refused."""
    try:
        return evaluate(expression_in(text))
    except ExpressionRefused:
        return None


def left_to_right(text: str) -> Fraction | None:
    """Return what a pocket calculator shows that knows no brackets and no precedence: the baseline."""
    try:
        pieces = expression_in(text).replace("(", " ").replace(")", " ").split()
        value = Fraction(pieces[0])
        for sign, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            steps: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
                "+": lambda a, b: a + b,
                "-": lambda a, b: a - b,
                "*": lambda a, b: a * b,
                "/": lambda a, b: a / b,
            }
            value = steps[sign](value, Fraction(piece))
    except (ExpressionRefused, ValueError, ZeroDivisionError, KeyError):
        return None
    return value


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    asked = list(questions(random.Random(seed), QUESTIONS))
    told = [answered(text) for text, _ in asked]
    right = [value == true for value, (_, true) in zip(told, asked, strict=True)]
    wrong = [value is not None and value != true for value, (_, true) in zip(told, asked, strict=True)]
    pocket = [left_to_right(text) == true for text, true in asked]
    refused = [answered(text) is None for text in _NOT_ARITHMETIC]
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "executed"
        tried = escapes(mark)
        ended = [answered(text) is not None for text in tried]
        executed = mark.exists()
    data = "generated questions, half of them German"
    return [
        Figure(
            WORKER, "right", "share", "higher", share(right, seed), data, len(asked), "left to right", share(pocket, seed), "1"
        ),
        Figure(WORKER, "wrong", "share", "lower", share(wrong, seed), data, len(asked), asked="0"),
        Figure(
            WORKER, "refused", "share", "higher", share(refused, seed), "texts that are no arithmetic", len(refused), asked="1"
        ),
        Figure(
            WORKER, "escapes_executed", "share", "lower", share([executed] * len(tried), seed), "escapes", len(tried), asked="0"
        ),
        Figure(WORKER, "escapes_answered", "share", "lower", share(ended, seed), "escapes", len(tried), asked="0"),
    ]
