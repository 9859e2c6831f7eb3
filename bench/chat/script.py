"""Scripts of conversations: what is said, what is wanted of it, and what its answer has to hold."""

import csv
import gzip
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from agents.expression import evaluate, shown

Wanted = Literal["task", "clarify", "talk", "note", "recall", "forget"]
_FOLDER = Path(__file__).parent / "data"
Half = Literal["read", "unseen"]  # the rules were mended on what was read
HALVES: Mapping[Half, Path] = {"read": _FOLDER / "conversations.tsv", "unseen": _FOLDER / "unseen.tsv"}
_SPOKEN = ("questions", "strangers")  # domains in which an assistant answers with a language model
_QUESTIONS = Path(__file__).parents[1] / "data" / "mmlupro_mid9.prompts.csv.gz"
STRANGERS = 12  # questions of MMLU-Pro in each round over the scripts
_WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("Amara", "Bjarne", "Chiara", "Dieter", "Esra", "Fabio", "Greta", "Hamid"),
    "city": ("Aarhus", "Bilbao", "Cork", "Dresden", "Espoo", "Faro", "Ghent", "Hull"),
    "pet": ("cat", "dog", "parrot", "hamster", "rabbit", "horse"),
    "drink": ("tea", "coffee", "cocoa", "juice", "water"),
}


class Line(Struct, frozen=True):
    """One turn: `follows`: it only makes sense after what was said before; `holds`: texts of which the answer has one."""

    wanted: Wanted
    text: str
    follows: bool = False
    holds: tuple[str, ...] = ()


class Script(Struct, frozen=True):
    """One conversation."""

    domain: str
    lines: tuple[Line, ...]
    whole: bool = True  # False: what a language model would answer is left out

    @property
    def spoken(self) -> int:
        """Return how many turns a language model will answer, if all goes the right way."""
        return sum((self.domain in _SPOKEN and one.wanted == "task") or _chatted(one) for one in self.lines)


def written(table: str) -> list[Script]:
    """Return the scripts of a table: a blank line ends a conversation, `##` begins a domain."""
    found, domain, lines = list[Script](), "", list[Line]()
    for row in [*table.splitlines(), ""]:
        if row.startswith("## "):
            domain = row[3:].strip()
        elif row.strip() and not row.startswith("#"):
            lines.append(_line(row))
        elif lines:
            found.append(Script(domain, tuple(lines)))
            lines = []
    return found


def drawn(script: Script, rng: random.Random) -> Script:
    """Return a script with its numbers and words drawn."""
    given = {letter: str(rng.randint(3, 97)) for letter in "abcd"} | {name: rng.choice(words) for name, words in _WORDS.items()}
    return Script(script.domain, tuple(_filled(line, given) for line in script.lines))


def quick(script: Script) -> Script | None:
    """Return what of a script needs no language model; None: nothing does without."""
    lines = tuple(one for one in script.lines if not _chatted(one))
    return Script(script.domain, lines, whole=False) if lines and script.domain not in _SPOKEN else None


def _chatted(line: Line) -> bool:
    return line.wanted == "talk" and not line.follows


def rounds(turns: int, seed: int, half: Half, spoken: int) -> list[Script]:
    """Return conversations worth so many turns at least: all scripts and some strangers' questions, shuffled, again and again.

    Once a language model has `spoken` turns to answer, of what comes behind only what needs none is played.
    """
    rng, found, count, left = random.Random(seed), list[Script](), 0, spoken
    scripts, questions = written(HALVES[half].read_text(encoding="utf-8")), strangers()
    while count < turns:
        asked = [Script("strangers", (Line("task", text),)) for text in rng.sample(questions, STRANGERS)]
        made = [*(drawn(script, rng) for script in scripts), *asked]
        rng.shuffle(made)
        for script in made:
            one = script if script.spoken <= left else quick(script)
            if count < turns and one is not None:
                found.append(one)
                count, left = count + len(one.lines), left - (one.spoken if one.whole else 0)
    return found


def strangers() -> list[str]:
    """Return questions that others wrote: those of MMLU-Pro's sample, without their choices (data MIT)."""
    with gzip.open(_QUESTIONS, "rt", encoding="utf-8", newline="") as file:
        texts = [row["prompt"].split("\nA. ")[0].strip() for row in csv.DictReader(file)]
    return [text for text in texts if 30 <= len(text) <= 400]


def _line(row: str) -> Line:
    wanted, text, *holds = row.split("\t")
    kind = wanted.removesuffix("+")
    if kind not in get_args(Wanted):
        raise ValueError(f"{kind!r} is none of {', '.join(get_args(Wanted))}: {row}")
    told = tuple(one.strip() for one in holds[0].split("|")) if holds and holds[0].strip() else ()
    return Line(kind, text, wanted.endswith("+"), told)  # type: ignore[arg-type]  # checked above


def _filled(line: Line, given: Mapping[str, str]) -> Line:
    def fill(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: given[found[1]], text)

    return Line(line.wanted, fill(line.text), line.follows, tuple(_worked_out(fill(one)) for one in line.holds))


def _worked_out(text: str) -> str:
    """Return a text, or the value of the expression behind `=`, as the house writes numbers."""
    return str(shown(evaluate(text[1:]))["value"]) if text.startswith("=") else text


def lines_of(scripts: list[Script]) -> Iterator[Line]:
    """Yield every turn."""
    return (line for script in scripts for line in script.lines)
