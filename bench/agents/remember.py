"""What is read out of a turn, of what it says of its speaker: precision and recall, by the rules and by a language model.

`python -m bench.agents.remember` prints the rules'; `--backend NAME` (of SMOLIT_LLM_URL, or `local`) has a model asked, too,
where a stack runs. The rules are measured on any text, and as the front uses them: what is taken for a task is not read.
They were written on one half of the turns (`read`); the other (`unseen`) was written before that, in other words, by the
same author. Half of the turns hold nothing to remember. What is asked later for each fact of the unseen half is answered
from memory alone.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.front import extract
from agents.front.asked import asks_memory
from agents.front.decide import Do, Note, Turn, decide
from agents.front.remember import Said, told
from agents.front.sort import Sorter
from agents.port import Ask, Language
from bench.agents.memory import answer
from bench.spread import Range, bootstrapped, mean
from learning.static import StaticEncoder
from smolit.cli import out
from smolit.cli.desk import now, open_desk
from smolit.process.language import language
from store.postgres import connect

_FOLDER = Path(__file__).parent / "data"
Half = Literal["read", "unseen"]
HALVES: dict[Half, Path] = {"read": _FOLDER / "remember.jsonl", "unseen": _FOLDER / "remember_unseen.jsonl"}
PATIENCE = timedelta(seconds=60)


class Expected(Struct, frozen=True):
    """A fact that a turn states: the subject, or what it begins with, and the words that have to be in what is remembered."""

    subject: str
    value: str


class Labelled(Struct, frozen=True):
    """A turn, what it says of its speaker, and a question that its first fact answers."""

    text: str
    facts: tuple[Expected, ...]
    ask: str | None = None  # what is asked for it later


class Score(Struct, frozen=True):
    """Counts of one turn."""

    right: int
    found: int
    wanted: int


class Read(Struct, frozen=True):
    """How well somebody reads facts out; `failed`: turns to which no usable answer came, and for which the rules stood in."""

    by: str
    half: Half
    turns: int
    precision: Range
    recall: Range
    silent: float  # share of the turns that hold nothing and of which nothing was remembered
    failed: int = 0


class Recalled(Struct, frozen=True):
    """How often what was told is answered later, beside so many other facts; how often a question is seen as one."""

    asked: int
    beside: int
    right: Range
    seen_as_question: Range


def turns(half: Half) -> list[Labelled]:
    """Return the labelled turns of one half."""
    return [msgspec.json.decode(line, type=Labelled) for line in HALVES[half].read_text(encoding="utf-8").splitlines()]


def by_rules(text: str) -> list[Said]:
    """Return what the rules read out of any text."""
    return told(text)


def as_the_front() -> Callable[[str], list[Said]]:
    """Return what reads as the front does: it decides first whether a turn is a note at all."""
    sorter = Sorter.load(StaticEncoder.load().encode)

    def read(text: str) -> list[Said]:
        decision = decide(Turn(text, 0, sorter.sort(text), ()))
        return list(decision.said) if isinstance(decision, Note | Do) else []

    return read


def scored(turn: Labelled, said: Sequence[Said]) -> Score:
    """Return the counts of one turn; each wanted fact is found once at most."""
    left = list(turn.facts)
    for one in said:
        hit = next((fact for fact in left if _fits(fact, one)), None)
        if hit is not None:
            left.remove(hit)
    return Score(len(turn.facts) - len(left), len(said), len(turn.facts))


def summed(by: str, half: Half, labelled: Sequence[Labelled], said: Sequence[Sequence[Said]], failed: int = 0) -> Read:
    """Return precision and recall over all turns, with intervals by drawing the turns anew."""
    scores = [scored(turn, one) for turn, one in zip(labelled, said, strict=True)]
    nothing = [one.found == 0 for one in scores if not one.wanted]
    precision, recall = bootstrapped(scores, _precision), bootstrapped(scores, _recall)
    return Read(by, half, len(scores), precision, recall, sum(nothing) / len(nothing), failed)


async def by_model(
    model: Language, backend: str, half: Half, labelled: Sequence[Labelled], fallback: Callable[[str], list[Said]]
) -> Read:
    """Have a model read every turn; where it cannot, the rules' word holds, as in the front."""
    said, failed = list[Sequence[Said]](), 0
    for number, turn in enumerate(labelled):
        ask = Ask(
            extract.messages(turn.text, None, ()),
            now() + PATIENCE,
            "default",
            "front",
            f"bench-{number}",
            "remember",
            backend,
            extract.MAX_TOKENS,
            schema=extract.SCHEMA,
            alone=True,
        )
        try:
            answer = await model.complete(ask)
            said.append(extract.kept(turn.text, answer.data)[0])
        except AgentFailed:
            failed += 1
            said.append(fallback(turn.text))
    return summed(backend, half, labelled, said, failed)


def _fits(fact: Expected, said: Said) -> bool:
    same = said.subject == fact.subject or said.subject.startswith(f"{fact.subject}:")
    return same and fact.value.lower() in said.text.lower()


def _precision(scores: Sequence[Score]) -> float:
    return sum(one.right for one in scores) / max(1, sum(one.found for one in scores))


def _recall(scores: Sequence[Score]) -> float:
    return sum(one.right for one in scores) / max(1, sum(one.wanted for one in scores))


def recalled(labelled: Sequence[Labelled], most: int = 20) -> Recalled:
    """Return how often a question about what was told is answered with it, from a memory that holds `most` facts of one user.

    What the rules did not read cannot be answered, and counts as missed; one person tells these facts, those around it first.
    """
    encoder, asked = StaticEncoder.load(), [one for one in labelled if one.ask is not None]
    right, taken = list[float](), list[float]()
    for place, one in enumerate(asked):
        said = [asked[(place + step) % len(asked)].text for step in range(most, -1, -1)]
        taken.append(float(asks_memory(one.ask or "")))
        right.append(float(taken[-1] > 0 and one.facts[0].value.lower() in answer(said, one.ask or "", encoder).lower()))
    return Recalled(len(asked), most, bootstrapped(right, mean), bootstrapped(taken, mean))


async def _measure(backend: str | None) -> list[Read | Recalled]:
    front, found = as_the_front(), list[Read | Recalled]()
    for half in HALVES:
        labelled = turns(half)
        found.append(summed("rules, on any text", half, labelled, [by_rules(one.text) for one in labelled]))
        found.append(summed("rules, as the front uses them", half, labelled, [front(one.text) for one in labelled]))
    found.append(recalled(labelled))
    if backend is not None:
        desk = open_desk()
        async with language(desk.settings, "bench-remember", lambda: connect(desk.endpoints.postgres, "bench"), out.say) as chain:
            found += [await by_model(chain, backend, half, turns(half), front) for half in HALVES]
    return found


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description="What is read out of turns, by rules and by a model.")
    parser.add_argument("--backend", help="name in SMOLIT_LLM_URL, or local")
    found = asyncio.run(_measure(parser.parse_args().backend))
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


if __name__ == "__main__":
    main()
