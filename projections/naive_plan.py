"""The naive fold of plans and their steps; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from events.plan import PlanEnded, PlanMade, PlanSettled, PlanStepEnded, PlanStepStarted
from projections.naive import Key, Seen, Table

_MADE = ("agent", "made_by", "why", "depth", "root_id")
_ENDED = ("outcome", "completed", "failed", "skipped", "cost_microusd", "detail")
_STEP_ENDED = ("outcome", "parts", "agents", "output_sha256", "reason", "detail", "cost_microusd", "duration_us")
_SETTLED = ("rule", "conflicts", "chosen", "answers")


def plans(seen: Sequence[Seen]) -> Table:
    """Return how each task was split, and how that ended."""
    made = {_key(item): item for item in seen if isinstance(item.fact, PlanMade)}
    ended = {_key(item): item for item in seen if isinstance(item.fact, PlanEnded)}
    return {key: _plan(key, made.get(key), ended.get(key)) for key in made | ended}


def steps(seen: Sequence[Seen]) -> Table:
    """Return how each step went."""
    found: dict[Key, list[Seen]] = {}
    for item in seen:
        if isinstance(item.fact, PlanStepStarted | PlanSettled | PlanStepEnded):
            found.setdefault((*_key(item), item.fact.step), []).append(item)
    return {key: _step(key, items) for key, items in found.items()}


def _key(item: Seen) -> Key:
    fact: Any = item.fact
    return (fact.task_id, fact.attempt)


def _plan(key: Key, made: Seen | None, ended: Seen | None) -> dict[str, Any]:
    """Return one plan's row from its two facts."""
    some: Any = (made or ended).fact  # type: ignore[union-attr]
    plan = getattr(made.fact, "plan", None) if made else None
    return {
        "task_id": key[0],
        "attempt": key[1],
        "tenant": some.tenant,
        **{name: getattr(made.fact, name) if made else None for name in _MADE},
        "name": plan.name if plan else None,
        "version": plan.version if plan else None,
        "plan": msgspec.to_builtins(plan) if plan else None,
        "made_at": made.at if made else None,
        **{name: getattr(ended.fact, name) if ended else None for name in _ENDED},
        "ended_at": ended.at if ended else None,
    }


def _step(key: Key, items: Sequence[Seen]) -> dict[str, Any]:
    """Return one step's row from all that was told of it."""
    starts = [(item.fact, item.at) for item in items if isinstance(item.fact, PlanStepStarted)]
    end = next(((item.fact, item.at) for item in items if isinstance(item.fact, PlanStepEnded)), (None, None))
    settled = next((item.fact for item in items if isinstance(item.fact, PlanSettled)), None)
    return {
        "task_id": key[0],
        "attempt": key[1],
        "step": key[2],
        "tenant": items[0].fact.tenant,
        "kind": starts[0][0].kind if starts else None,
        "asked": max((fact.ask for fact, _ in starts), default=None),
        "started_at": min((at for _, at in starts), default=None),
        **{name: _plain(end[0], name) for name in _STEP_ENDED},
        "ended_at": end[1],
        **{name: _plain(settled, name) for name in _SETTLED},
        "settled": None if settled is None else settled.chosen is not None,
    }


def _plain(fact: Any, name: str) -> Any:
    value = msgspec.to_builtins(getattr(fact, name, None))
    return list(value) if isinstance(value, tuple) else value
