"""Read models `searches` and `trials`: which settings were looked for on what, what each came to, and the verdict."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Float, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.search import SearchEnded, SearchStarted, TrialEnded
from projections.column import TIME, key, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, merging
from projections.view import view_of

_SEARCHES = Table(
    "searches_v1",
    metadata,
    key("tenant", Text, "whose search it is"),
    key("search_id", Text, "id of the search"),
    once("scope", Text, "on whose choices settings are scored"),
    once("policy", Text, "policy whose settings are looked for"),
    once("space", JSONB, "what each setting may be"),
    once("seed", BigInteger, "what all that is left to chance is drawn with"),
    once("budget", JSONB, "trials of each arm, seconds and number of workers"),
    once("window_of_choices", JSONB, "which choices give scores, and which are kept for the end: offsets and counts"),
    once("started_by", Text, "who asked for it"),
    once("started_at", TIME, "when it began"),
    once("ended_at", TIME, "when it was over; null: it may be taken up again"),
    once("why", Text, "budget_spent or stopped"),
    once("best", BigInteger, "number of the best guided trial; null: none was completed"),
    once("best_random", BigInteger, "number of the best trial drawn at random; null: none was completed"),
    once("figures", JSONB, "what came out on choices that no trial saw"),
    once("verdict", Text, "the same in words"),
    comment="Searches for settings of a policy, on what really happened; two arms of equal budget, judged on choices kept apart.",
)
_TRIALS = Table(
    "trials_v1",
    metadata,
    key("tenant", Text, "whose search it is"),
    key("search_id", Text, "search that it belongs to"),
    key("arm", Text, "guided or random"),
    key("number", BigInteger, "number of the trial in its arm, from 0"),
    once("scope", Text, "on whose choices it was scored"),
    once("parameters", JSONB, "settings that were tried"),
    once("trial_state", Text, "completed, pruned or failed"),
    once("score", Float(53), "mean reward that it would have earned; null: not completed"),
    once("steps", JSONB, "the same after each part of the choices"),
    once("reason", Text, "why it was pruned or failed"),
    once("seconds", Float(53), "what it took"),
    once("ended_at", TIME, "when it ended"),
    Index("trials_v1_score", "tenant", "search_id", "score"),
    comment="Trials of searches: each setting with its score, or why it has none.",
)


def search_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a search."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case SearchStarted():
            plan = told(fact, "tenant", "search_id", "scope", "policy", "space", "seed", "budget", "started_by")
            yield {**plan, "window_of_choices": fact.window, "started_at": at}
        case SearchEnded():
            names = ("tenant", "search_id", "scope", "why", "best", "best_random", "figures", "verdict")
            yield {**told(fact, *names), "ended_at": at}


def trial_rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of a trial."""
    fact = logged.event.fact
    if isinstance(fact, TrialEnded):
        names = ("tenant", "search_id", "arm", "number", "scope", "parameters", "score", "steps", "reason", "seconds")
        yield {**told(fact, *names), "trial_state": fact.state, "ended_at": logged.event.envelope.time}


_STATE = "case when known.ended_at is not null then 'ended' else 'running' end"
_SEARCHES_VIEW = view_of("searches", _SEARCHES, {"state": (_STATE, "running (trials may be told) or ended")})
_TRIALS_VIEW = view_of("trials", _TRIALS)
SEARCHES = Projection(
    name="searches",
    version=1,
    tables=(_SEARCHES,),
    views=(_SEARCHES_VIEW,),
    reads=(SearchStarted, SearchEnded),
    compared=(compared(_SEARCHES_VIEW, _SEARCHES),),
    write=merging(_SEARCHES, search_rows),
)
TRIALS = Projection(
    name="trials",
    version=1,
    tables=(_TRIALS,),
    views=(_TRIALS_VIEW,),
    reads=(TrialEnded,),
    compared=(compared(_TRIALS_VIEW, _TRIALS),),
    write=merging(_TRIALS, trial_rows),
)
