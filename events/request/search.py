"""Requests about searches for settings: begin one, tell of a trial, end one."""

from typing import Annotated, Any

from msgspec import Meta

from events.event import event
from events.field import Ident, Name, Sentence, says
from events.model import Arm, Number, Seed, Sha256
from events.request.request import Request, ScopeName
from events.search import Budget, Dimension, Seconds, TrialState, WhyEnded, Window
from events.topics import REQUESTS

SearchId = Annotated[Name, says("Its name, used once.")]


@event("search.start", version=1, topic=REQUESTS, key="scope")
class StartSearch(Request, frozen=True, kw_only=True):
    """Know this search from now on; whoever asks makes the trials."""

    scope: ScopeName = "default"
    search_id: SearchId
    policy: Annotated[Name, says("Name of the policy whose settings are looked for.")]
    space: Annotated[tuple[Dimension, ...], Meta(min_length=1, max_length=100), says("What is looked for.")]
    seed: Annotated[Seed, says("What all that is left to chance is drawn with.")]
    budget: Annotated[Budget, says("When each arm ends.")]
    window: Annotated[Window, says("Which choices are asked.")]
    code_sha256: Annotated[Sha256, says("Digest of the code that learns and chooses.")]
    environment: Annotated[dict[Ident, Ident], says("What the code runs on, name by name.")] = {}


@event("trial.end", version=1, topic=REQUESTS, key="scope")
class EndTrial(Request, frozen=True, kw_only=True):
    """This setting was tried, and this came out; a trial that is told twice counts once."""

    scope: ScopeName = "default"
    search_id: SearchId
    arm: Annotated[Arm, says("Which arm of the search.")]
    number: Annotated[Number, says("Number of the trial in its arm, from 0.")]
    parameters: Annotated[dict[str, Any], says("The settings that were tried; what is left out has the policy's default.")]
    state: Annotated[TrialState, says("What became of it.")]
    score: Annotated[float | None, says("Its score; null unless it was completed.")] = None
    steps: Annotated[tuple[float, ...], Meta(max_length=1000), says("The score after each part of the choices.")] = ()
    reason: Annotated[Sentence, says("Why it failed or was pruned, in words.")] = ""
    seconds: Annotated[Seconds, says("What it took.")] = 0.0


@event("search.end", version=1, topic=REQUESTS, key="scope")
class EndSearch(Request, frozen=True, kw_only=True):
    """Try no more for this search; the figures are of choices that no trial saw."""

    scope: ScopeName = "default"
    search_id: SearchId
    why: Annotated[WhyEnded, says("What ended it.")]
    best: Annotated[Annotated[int, Meta(ge=0, le=1_000_000)] | None, says("Number of the best guided trial; null: none.")] = None
    best_random: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, says("Number of the best trial drawn at random; null: none.")
    ] = None
    figures: Annotated[dict[Ident, float], says("What came out, by name.")] = {}
    verdict: Annotated[str, Meta(min_length=1, max_length=10_000), says("The same in words.")]
