"""Read recorded outcomes: what each of several models really scored on each prompt of a data set.

File format: `<set>.prompts.csv.gz` (prompt_id, domain, prompt) and `<set>.scores.csv.gz` (prompt_id, model, score, cost).
"""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from learning.errors import LearningError

PROMPTS, SCORES = ".prompts.csv.gz", ".scores.csv.gz"  # how the names of a set's two files end


class OutcomesUnreadable(LearningError):
    """A file of recorded outcomes is missing or does not hold what its format promises."""


class Prompt(NamedTuple):
    """One prompt of the data set; `domain` is for reports, never for the choice of an agent."""

    prompt_id: str
    domain: str
    text: str


class Outcome(NamedTuple):
    """What a model earned on a prompt (0 to 1) and what the call cost (nominal US dollars)."""

    score: float
    cost: float


@dataclass(frozen=True)
class Outcomes:
    """Every model's outcome on every prompt, none missing."""

    prompts: tuple[Prompt, ...]
    models: tuple[str, ...]
    table: Mapping[tuple[str, str], Outcome]

    @classmethod
    def load(cls, folder: Path, name: str) -> "Outcomes":
        """Read the set `name` in `folder`; raises `OutcomesUnreadable`."""
        _require(folder, name)
        prompts = tuple(Prompt(*row) for row in _rows(folder / f"{name}{PROMPTS}", ("prompt_id", "domain", "prompt")))
        outcomes = [_outcome(row) for row in _rows(folder / f"{name}{SCORES}", ("prompt_id", "model", "score", "cost"))]
        table = dict(outcomes)
        _require_once(name, Counter(prompt.prompt_id for prompt in prompts), Counter(at for at, _ in outcomes))
        models = tuple(sorted({model for _, model in table}))
        if not prompts or set(table) != {(prompt.prompt_id, model) for prompt in prompts for model in models}:
            raise OutcomesUnreadable(f"the set {name} lacks outcomes, or has some for prompts that it does not hold")
        return cls(prompts, models, table)

    def outcome(self, prompt_id: str, model: str) -> Outcome:
        """Return one model's outcome on one prompt; `KeyError` where the set has none."""
        return self.table[prompt_id, model]

    def mean_score(self, model: str) -> float:
        """Return a model's mean score over all prompts."""
        return sum(self.table[prompt.prompt_id, model].score for prompt in self.prompts) / len(self.prompts)


def _require(folder: Path, name: str) -> None:
    """Raise if one of the set's files is not there; the message says which sets are."""
    if all((folder / f"{name}{end}").is_file() for end in (PROMPTS, SCORES)):
        return
    here = sorted(path.name.removesuffix(PROMPTS) for path in folder.glob(f"*{PROMPTS}"))
    rest = f"it holds {', '.join(here)}" if here else f"a set NAME is the files NAME{PROMPTS} and NAME{SCORES}"
    raise OutcomesUnreadable(f"there is no set {name} in {folder}; {rest}")


def _require_once(name: str, prompts: Counter[str], outcomes: Counter[tuple[str, str]]) -> None:
    """Raise if a prompt, or a model's outcome on one, stands there twice: nobody knows which one is meant."""
    if twice := [prompt for prompt, times in prompts.items() if times > 1]:
        raise OutcomesUnreadable(f"the set {name} holds the prompt {twice[0]} more than once")
    if pairs := [pair for pair, times in outcomes.items() if times > 1]:
        prompt, model = pairs[0]
        raise OutcomesUnreadable(f"the set {name} holds more than one outcome of {model} on {prompt}")


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the rows after the header, which names these columns in this order."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            if (header := next(reader, [])) != list(columns):
                raise OutcomesUnreadable(f"{path.name}: the columns are {', '.join(header)} instead of {', '.join(columns)}")
            for row in reader:
                if len(row) != len(columns):
                    raise OutcomesUnreadable(f"{path.name} line {reader.line_num}: {len(row)} fields instead of {len(columns)}")
                yield row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as cause:
        raise OutcomesUnreadable(f"{path.name} cannot be read: {cause}") from cause


def _outcome(row: list[str]) -> tuple[tuple[str, str], Outcome]:
    prompt_id, model, *numbers = row
    try:
        score, cost = map(float, numbers)
    except ValueError as cause:
        raise OutcomesUnreadable(f"the outcome of {model} on {prompt_id} is not a number") from cause
    if not 0.0 <= score <= 1.0:
        raise OutcomesUnreadable(f"the score of {model} on {prompt_id} is {score}, which is not 0 to 1")
    if not (math.isfinite(cost) and cost >= 0.0):
        raise OutcomesUnreadable(f"the cost of {model} on {prompt_id} is {cost}, which is no amount of money")
    return (prompt_id, model), Outcome(score, cost)
