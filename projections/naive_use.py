"""The naive fold of what agents used of models; see `projections/naive.py`."""

from collections.abc import Sequence
from datetime import UTC

from events.task import AttemptEnded
from projections.naive import Seen, Table


def model_use(seen: Sequence[Seen]) -> Table:
    """Return the sums of what steps say, step by step."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if not isinstance(fact, AttemptEnded):
            continue
        day = item.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for step in fact.steps:
            if step.model is None or step.tokens_in is None:
                continue
            names = {"tenant": fact.tenant, "agent": fact.agent, "model": step.model, "day": day}
            sums = ("calls", "tokens_in", "tokens_out", "cost_microusd", "costed", "duration_us")
            row = table.setdefault(tuple(names.values()), {**names, **dict.fromkeys(sums, 0)})
            row["calls"] += 1
            row["tokens_in"] += step.tokens_in
            row["tokens_out"] += step.tokens_out or 0
            row["duration_us"] += step.duration_us
            if step.cost_microusd is not None:
                row["cost_microusd"] += step.cost_microusd
                row["costed"] += 1
    return table


def agent_use(seen: Sequence[Seen]) -> Table:
    """Return what each agent used of all models, by scope and hour."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if not isinstance(fact, AttemptEnded):
            continue
        hour = item.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for step in fact.steps:
            if step.model is None or step.tokens_in is None:
                continue
            names = {"tenant": fact.tenant, "scope": fact.scope, "agent": fact.agent, "hour": hour}
            sums = ("model_calls", "tokens_in", "tokens_out", "model_microusd", "model_costed", "model_us")
            row = table.setdefault(tuple(names.values()), {**names, **dict.fromkeys(sums, 0)})
            row["model_calls"] += 1
            row["tokens_in"] += step.tokens_in
            row["tokens_out"] += step.tokens_out or 0
            row["model_us"] += step.duration_us
            if step.cost_microusd is not None:
                row["model_microusd"] += step.cost_microusd
                row["model_costed"] += 1
    return table
