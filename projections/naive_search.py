"""The naive fold of searches and their trials; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

from events.search import SearchEnded, SearchStarted, TrialEnded
from projections.naive import Key, Seen, Table

_STARTED = ("policy", "space", "seed", "budget", "started_by")
_ENDED = ("why", "best", "best_random", "figures", "verdict")


def searches(seen: Sequence[Seen]) -> Table:
    """Return what was looked for since when, until when, and what it came to."""
    starts = {(item.fact.tenant, item.fact.search_id): item for item in seen if isinstance(item.fact, SearchStarted)}
    ends = {(item.fact.tenant, item.fact.search_id): item for item in seen if isinstance(item.fact, SearchEnded)}
    return {key: _row(key, starts.get(key), ends.get(key)) for key in starts | ends}


def _row(key: Key, start: Seen | None, end: Seen | None) -> dict[str, Any]:
    """Return one search's row from its two facts."""
    known: Any = start or end
    return {
        "tenant": key[0],
        "search_id": key[1],
        "scope": known.fact.scope,
        **{name: getattr(start.fact, name) if start else None for name in _STARTED},
        **{name: getattr(end.fact, name) if end else None for name in _ENDED},
        "window_of_choices": getattr(start.fact, "window", None) if start else None,
        "started_at": start.at if start else None,
        "ended_at": end.at if end else None,
        "state": "ended" if end else "running",
    }


def trials(seen: Sequence[Seen]) -> Table:
    """Return each trial as its fact says."""
    return {_key(item.fact): _trial(item) for item in seen if isinstance(item.fact, TrialEnded)}


def _key(fact: TrialEnded) -> Key:
    return fact.tenant, fact.search_id, fact.arm, fact.number


def _trial(item: Seen) -> dict[str, Any]:
    fact: Any = item.fact
    names = ("tenant", "search_id", "arm", "number", "scope", "parameters", "score", "steps", "reason", "seconds")
    return {**{name: getattr(fact, name) for name in names}, "trial_state": fact.state, "ended_at": item.at}
