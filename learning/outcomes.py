"""Read recorded outcomes: what each of several models really scored on each prompt of a data set.

File format: `<set>.prompts.csv.gz` (prompt_id, domain, prompt) and `<set>.scores.csv.gz` (prompt_id, model, score, cost).
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from learning.errors import LearningError


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
        prompts = tuple(Prompt(*row) for row in _rows(folder / f"{name}.prompts.csv.gz", 3))
        table = dict(_outcome(row) for row in _rows(folder / f"{name}.scores.csv.gz", 4))
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


def _rows(path: Path, width: int) -> Iterator[list[str]]:
    """Yield the rows after the header, each `width` fields wide."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            next(reader, None)
            for row in reader:
                if len(row) != width:
                    raise OutcomesUnreadable(f"{path.name} line {reader.line_num}: {len(row)} fields instead of {width}")
                yield row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as cause:
        raise OutcomesUnreadable(f"{path.name} cannot be read: {cause}") from cause


def _outcome(row: list[str]) -> tuple[tuple[str, str], Outcome]:
    prompt_id, model, score, cost = row
    try:
        return (prompt_id, model), Outcome(float(score), float(cost))
    except ValueError as cause:
        raise OutcomesUnreadable(f"the outcome of {model} on {prompt_id} is not a number") from cause
