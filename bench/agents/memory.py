"""What people told of themselves, asked for after 1, 10 and 100 later turns: the share of answers that have it.

`python -m bench.agents.memory` prints it. The rules that read facts out, that of contradictions and the answer are the front
agent's; the nearest memory is found by an exact scan, as pgvector finds it. Everything is folded anew from what was learned
before each question, as after a restart. Baseline: the last eight turns of the talk, and no memory.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from agents.front.recollect import Memory, recollect
from agents.front.remember import told
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from learning.static import StaticEncoder

_TURNS = Path(__file__).parent / "data" / "task_or_talk.tsv"
_AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER, WINDOW, ROUNDS = (1, 10, 100), 8, 3
# What is told, what is asked later, and what may be told in its place; the words differ on purpose.
PLANTED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("My name is {}", "What am I called?", ("Ada", "Boris", "Chloe")),
    ("I live in {}", "In which city do I live?", ("Lisbon", "Graz", "Oslo")),
    ("I work as a {}", "What is my profession?", ("carpenter", "nurse", "pilot")),
    ("My birthday is on {}", "When was I born?", ("3 May", "9 July", "1 June")),
    ("My favourite colour is {}", "Which colour is my favourite?", ("teal", "amber", "crimson")),
    ("My dog is called {}", "What is the name of my dog?", ("Rex", "Luna", "Balu")),
    ("My manager is {}", "Who is my boss?", ("Carla", "Deniz", "Emil")),
    ("My favourite food is {}", "What do I like to eat most?", ("ramen", "paella", "dumplings")),
    ("I am allergic to {}", "Which food must I not eat because of my allergy?", ("peanuts", "shrimp", "celery")),
    ("My shoe size is {}", "Which size are my shoes?", ("38", "42", "45")),
    ("My phone is a {}", "Which phone do I use, do you remember my model?", ("Fairphone", "Pixel", "Nokia")),
    ("My sister is called {}", "What is my sister's name?", ("Ines", "Jana", "Kim")),
    ("I prefer {} over coffee", "What do I drink instead of coffee, do you remember?", ("tea", "cocoa", "juice")),
    ("Remember that my train leaves at {}", "When does my train leave?", ("six", "noon", "nine")),
    ("Remember that my locker code is {}", "What is the code of my locker?", ("4711", "0815", "1234")),
    ("Ich heiße {}", "Wie ist mein Name?", ("Jörg", "Sabine", "Uwe")),
    ("Ich wohne in {}", "Wo wohne ich?", ("Köln", "Wien", "Bern")),
    ("Ich arbeite als {}", "Was ist mein Beruf, was mache ich?", ("Lehrer", "Bäcker", "Ärztin")),
    ("Meine Lieblingsfarbe ist {}", "Was ist meine Lieblingsfarbe?", ("Rot", "Blau", "Grün")),
    ("Mein Hund ist ein {}", "Was für einen Hund habe ich, was ist mein Hund?", ("Pudel", "Dackel", "Boxer")),
)


def measure(seed: int) -> list[Figure]:
    """Return recall after each number of later turns, beside the last turns alone, and how often a correction is answered."""
    encoder, rng = StaticEncoder.load(), random.Random(seed)
    noise = [line.split("\t")[1] for line in _TURNS.read_text(encoding="utf-8").splitlines()]
    plain = [text for text in noise if not told(text)]
    figures = [_after(later, plain, encoder, rng, seed) for later in LATER]
    return [*figures, _corrected(plain, encoder, rng, seed)]


def answer(turns: Sequence[str], question: str, encoder: StaticEncoder) -> str:
    """Return the front's answer to a question after these turns, from what the rules read out of them."""
    held: dict[str, Memory] = {}
    for number, text in enumerate(turns):
        for one in told(text):
            held.pop(one.subject, None)
            held[one.subject] = Memory(str(number), one.subject, one.text, _AT)
    known = list(reversed(held.values()))
    asked = encoder.encode(question)
    near = [msgspec.structs.replace(one, cosine=float(np.dot(asked, encoder.encode(one.text)))) for one in known]
    return recollect(question, known, sorted(near, key=lambda one: -one.cosine))[1]


def _after(later: int, noise: Sequence[str], encoder: StaticEncoder, rng: random.Random, seed: int) -> Figure:
    """Return recall after so many later turns; a fifth of these tell something else of the same user."""
    ours, window = [], []
    for planted, question, value in _cases(rng):
        turns = [planted.format(value), *_later(later, planted, noise, rng)]
        ours.append(float(value in answer(turns, question, encoder)))
        window.append(float(any(value in turn for turn in turns[-WINDOW:])))
    return Figure(
        worker="memory",
        metric=f"planted facts recalled after {later} later turns",
        unit="share",
        better="higher",
        value=bootstrapped(ours, mean, seed),
        data=f"{len(PLANTED)} facts, English and German, with {ROUNDS} values each",
        n=len(ours),
        baseline=f"no memory: the last {WINDOW} turns have it",
        baseline_value=bootstrapped(window, mean, seed),
        asked="against no memory",
    )


def _corrected(noise: Sequence[str], encoder: StaticEncoder, rng: random.Random, seed: int) -> Figure:
    """Return how often the newer of two contradicting facts is answered, and the older one is not."""
    right = []
    for planted, question, values in PLANTED:
        old, new = rng.sample(values, 2)
        turns = [planted.format(old), *_later(5, planted, noise, rng), planted.format(new), *_later(5, planted, noise, rng)]
        said = answer(turns, question, encoder)
        right.append(float(new in said and old not in said))
    return Figure(
        worker="memory",
        metric="the newer of two contradicting facts is answered",
        unit="share",
        better="higher",
        value=bootstrapped(right, mean, seed),
        data=f"{len(PLANTED)} facts told twice, with another value",
        n=len(right),
        asked="the newer one wins",
    )


def _cases(rng: random.Random) -> list[tuple[str, str, str]]:
    cases = [(planted, question, value) for planted, question, values in PLANTED for value in values[:ROUNDS]]
    rng.shuffle(cases)
    return cases


def _later(count: int, planted: str, noise: Sequence[str], rng: random.Random) -> list[str]:
    """Return later turns: tasks and talk, and now and then something else that the user tells, in any language."""
    about = {one: {said.subject for said in told(one.format(values[0]))} for one, _, values in PLANTED}
    others = [one.format(rng.choice(values)) for one, _, values in PLANTED if not about[planted] & about[one]]
    others = [one for one in others if not one.startswith("Remember") or not planted.startswith("Remember")]
    return [rng.choice(others) if rng.random() < 0.2 else rng.choice(noise) for _ in range(count)]


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(measure(seed=1)), indent=2).decode())
