"""Searches for the settings of a policy: what is looked for and on what, each trial, and what came of it. Key: the scope.

A search has two arms of equal budget: a guided one, and one that draws at random, which it is compared with at the end.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Name, says
from events.model import Arm, Count, Number, Offset, Seed, Sha256
from events.topics import MODELS

TrialState = Literal["completed", "pruned", "failed"]
WhyEnded = Literal["budget_spent", "stopped"]
Seconds = Annotated[float, Meta(ge=0, le=10**9)]


class Dimension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting, and what it may be: any number between two, or one of a few."""

    name: Annotated[Name, says("Name of the setting.")]
    low: Annotated[float, says("Least that it may be.")] = 0.0
    high: Annotated[float, says("Most that it may be.")] = 0.0
    log: Annotated[bool, says("Whether it is drawn by its logarithm.")] = False
    whole: Annotated[bool, says("Whether it is a whole number.")] = False
    values: Annotated[tuple[float, ...], Meta(max_length=1000), says("What it may be; none: anything from low to high.")] = ()


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which choices are asked, parted by the last example that each of them knew (an offset of the scope's partition).

    Choices before `validate_from` are only learned from, those before `test_from` give the score, and the rest is for the end.
    """

    context_map: Annotated[Sha256, says("Digest of the map that made contexts of features.")]
    validate_from: Annotated[Offset, says("Choices that knew this example, or a later one, are scored.")]
    test_from: Annotated[Offset, says("Choices that knew this example, or a later one, are seen by no trial.")]
    upto: Annotated[Offset, says("The last example of which anything is known; rewards are as they stand there.")]
    scored: Annotated[Count, says("Choices with a reward that each trial is scored on.")]
    tested: Annotated[Count, says("Choices with a reward that are kept for the end.")]


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an arm ends: after so many trials, or when its workers together have spent so many seconds each."""

    trials: Annotated[int, Meta(ge=1, le=1_000_000), says("Trials of each arm.")]
    seconds: Annotated[Seconds, says("Seconds of each worker, for each arm.")]
    workers: Annotated[int, Meta(ge=1, le=1000), says("Trials that are made at a time.")]


@event("search.started", version=1, topic=MODELS, key="scope")
class SearchStarted(Fact, frozen=True, kw_only=True):
    """From here on settings of a policy are tried on a scope's own log; equal seeds and budgets give equal trials."""

    scope: str
    search_id: str
    request_id: str
    started_by: str
    policy: str
    space: tuple[Dimension, ...]
    seed: Seed
    budget: Budget
    window: Window
    code_sha256: Sha256
    environment: dict[str, str]

    def slot(self) -> tuple[str | int, ...]:
        """A search starts once."""
        return (self.tenant, "search", self.search_id, "started")


@event("trial.ended", version=1, topic=MODELS, key="scope")
class TrialEnded(Fact, frozen=True, kw_only=True):
    """One setting was tried. What crashed, or gave no number, has failed; what fell behind the others half-way was pruned."""

    scope: str
    search_id: str
    request_id: str
    arm: Arm
    number: Number
    parameters: dict[str, Any]
    state: TrialState
    score: Annotated[float | None, says("Mean reward that it would have earned; null unless it was completed.")]
    steps: Annotated[tuple[float, ...], says("The same after each part of the choices, as far as it came.")]
    reason: str
    seconds: Seconds

    def slot(self) -> tuple[str | int, ...]:
        """A trial ends once."""
        return (self.tenant, "trial", self.search_id, self.arm, self.number)


@event("search.ended", version=1, topic=MODELS, key="scope")
class SearchEnded(Fact, frozen=True, kw_only=True):
    """No more is tried. The figures are of choices that no trial saw: default, best of either arm, and their differences."""

    scope: str
    search_id: str
    request_id: str
    why: WhyEnded
    best: Annotated[int | None, says("Number of the best guided trial; null: none was completed.")]
    best_random: Annotated[int | None, says("Number of the best trial drawn at random; null: none was completed.")]
    figures: dict[str, float]
    verdict: str

    def slot(self) -> tuple[str | int, ...]:
        """A search ends once."""
        return (self.tenant, "search", self.search_id, "ended")
