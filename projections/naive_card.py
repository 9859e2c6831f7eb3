"""The naive fold of model cards, and of which models steps used; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

from events.card import CardChanged, CardRegistered, CardRetired
from events.task import AttemptEnded
from projections.naive import Seen, Table


def model_cards(seen: Sequence[Seen]) -> Table:
    """Return each model as its card last said, by walking through its facts."""
    table: Table = {}
    for item in sorted((one for one in seen if _is_of_card(one)), key=lambda one: one.record.offset):
        fact: Any = item.fact
        row = table.setdefault((fact.tenant, fact.name), _stranger(fact))
        row["changed_at"] = max(row["changed_at"] or item.at, item.at)
        if isinstance(fact, CardRetired):
            state = "unknown" if row["digest"] is None else "retired"
            row |= {"retired_offset": item.record.offset, "reason": fact.reason, "state": state}
            continue
        vector = {"embedding": fact.described.embedding, "features_version": fact.described.version}
        row |= {"digest": fact.digest, "card": fact.card, **vector, "described_offset": item.record.offset, "state": "active"}
        row["changes"] += 1
        row["registered_at"] = min(row["registered_at"] or item.at, item.at)
    return table


def _is_of_card(item: Seen) -> bool:
    return isinstance(item.fact, CardRegistered | CardChanged | CardRetired)


def _stranger(fact: Any) -> dict[str, Any]:
    """Return the row of a model that nobody has described yet."""
    names = ("digest", "card", "embedding", "features_version", "registered_at", "changed_at", "reason")
    offsets = {"described_offset": None, "retired_offset": None}
    return {"tenant": fact.tenant, "name": fact.name, "changes": 0, "state": "unknown", **dict.fromkeys(names), **offsets}


def model_choices(seen: Sequence[Seen]) -> Table:
    """Return which model each step used."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        for step in fact.steps if isinstance(fact, AttemptEnded) else ():
            if isinstance(fact, AttemptEnded) and (choice := step.choice) is not None:
                names = ("subtask", "domain", "model", "probability", "explored", "policy", "candidates")
                table.setdefault((fact.task_id, fact.attempt, step.name), {
                    **{name: getattr(fact, name) for name in ("task_id", "attempt", "tenant", "scope", "agent")},
                    "step": step.name,
                    **{name: getattr(choice, name) for name in names},
                    "fit": {one.model: one.fit for one in choice.candidates}.get(choice.model),
                    "failed": step.error is not None,
                    "ended_at": item.at,
                })  # fmt: skip
    return table
