"""The naive fold of agents, what is learned of them, and what chooses among them; see `projections/naive.py`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from events.experiment import ExperimentConcluded, ExperimentStarted
from events.learning import ExampleRecorded, ExampleSuperseded, SnapshotPublished
from events.model import PolicySet
from events.task import AgentChosen, AttemptEnded
from projections.naive import Key, Seen, Table

Example = ExampleRecorded | ExampleSuperseded
_OF_AN_AGENT = (AgentRegistered, AgentRevised, AgentPaused, AgentResumed, AgentRetired)
_OFFSETS = ("first", "described", "registered", "paused", "resumed", "retired", "reason")


def agents(seen: Sequence[Seen]) -> Table:
    """Return each agent as last described, and whether it may be chosen, by walking through its facts."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, _OF_AN_AGENT):
            key = (fact.tenant, fact.agent_id)
            row = table.setdefault(key, _stranger(*key))
            row["changed_at"] = max(row["changed_at"] or item.at, item.at)
            _walk(row, item)
    return table


def _stranger(tenant: str, agent_id: str) -> dict[str, Any]:
    """Return the row of an agent that nobody has described yet."""
    unknown = dict.fromkeys(("digest", "spec", "registered_at", "changed_at", "reason"))
    offsets = {f"{name}_offset": None for name in _OFFSETS}
    return {"tenant": tenant, "agent_id": agent_id, "state": "unknown", "revisions": 0, **unknown, **offsets}


def _walk(row: dict[str, Any], item: Seen) -> None:
    """Take one fact of an agent in."""
    fact, offset = item.fact, item.record.offset
    if isinstance(fact, AgentRegistered | AgentRevised):
        new = isinstance(fact, AgentRegistered) or row["state"] == "unknown"
        described = {"spec": fact.spec, "digest": fact.digest, "described_offset": offset}
        first = min(row["registered_at"] or item.at, item.at)
        row |= {**described, "revisions": row["revisions"] + 1, "registered_at": first}
        row["first_offset"] = offset if row["first_offset"] is None else row["first_offset"]
        row["state"] = "active" if new else row["state"]
        row["registered_offset"] = offset if isinstance(fact, AgentRegistered) else row["registered_offset"]
        return
    word, state = _CHANGE[type(fact)]
    row[f"{word}_offset"] = offset
    if isinstance(fact, AgentPaused | AgentRetired):
        row |= {"reason": fact.reason, "reason_offset": offset}
    if row["state"] not in ("unknown", "retired"):
        row["state"] = state


_CHANGE: dict[type, tuple[str, str]] = {
    AgentPaused: ("paused", "paused"),
    AgentResumed: ("resumed", "active"),
    AgentRetired: ("retired", "retired"),
}


def agent_work(seen: Sequence[Seen]) -> Table:
    """Return the sums of choices and attempts."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, AgentChosen):
            row = _sums(table, (fact.tenant, fact.context.scope, fact.agent, _hour(item.at)))
            row["chosen"] += 1
            row["explored"] += 1 if fact.explored else 0
            row["propensity_micro"] += round(fact.propensity * 10**6)
        elif isinstance(fact, AttemptEnded):
            row = _sums(table, (fact.tenant, fact.scope, fact.agent, _hour(item.at)))
            row[fact.outcome] += 1
            row["duration_us"] += 0 if fact.outcome == "abandoned" else fact.duration_us
            row["cost_microusd"] += fact.cost_microusd or 0
            row["costed"] += 0 if fact.cost_microusd is None else 1
    return table


_SUMS = (
    "chosen",
    "explored",
    "propensity_micro",
    "completed",
    "failed",
    "timed_out",
    "abandoned",
    "duration_us",
    "cost_microusd",
    "costed",
)


def _sums(table: Table, key: Key) -> dict[str, Any]:
    """Return the sums of an agent's hour, from zero."""
    return table.setdefault(key, {**_hour_key(key), **dict.fromkeys(_SUMS, 0)})


def _hour_key(key: Key) -> dict[str, Any]:
    """Return the key columns of an agent's hour."""
    return {"tenant": key[0], "scope": key[1], "agent": key[2], "hour": key[3]}


def _hour(moment: datetime) -> datetime:
    """Return the start of the hour that a moment in UTC lies in."""
    return datetime(moment.year, moment.month, moment.day, moment.hour, tzinfo=moment.tzinfo)


def agent_duration(seen: Sequence[Seen]) -> Table:
    """Return the histogram of durations."""
    steps = ("10", "12", "15", "18", "22", "27", "33", "39", "47", "56", "68", "82")
    bounds = [int(step + "0" * zeros) for zeros in range(10) for step in steps] + [10**11]
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, AttemptEnded) and fact.outcome != "abandoned":
            upto = next((bound for bound in bounds if fact.duration_us <= bound), bounds[-1])
            key = (fact.tenant, fact.scope, fact.agent, _hour(item.at), upto)
            table.setdefault(key, {**_hour_key(key), "upto_us": upto, "attempts": 0})["attempts"] += 1
    return table


def examples(seen: Sequence[Seen]) -> Table:
    """Return the reward that counts for each attempt."""
    return {key: _example(key, story) for key, story in _example_stories(seen).items()}


def _example_stories(seen: Sequence[Seen]) -> dict[Key, list[tuple[Example, datetime]]]:
    """Return the facts of each example, in order."""
    stories: dict[Key, list[tuple[Example, datetime]]] = defaultdict(list)
    for item in seen:
        fact = item.fact
        if isinstance(fact, ExampleRecorded | ExampleSuperseded):
            stories[fact.task_id, fact.attempt, fact.scope].append((fact, item.at))
    return stories


def _example(key: Key, story: list[tuple[Example, datetime]]) -> dict[str, Any]:
    """Return one example's row."""
    first, last = story[0][0], _last(story)
    return {
        "task_id": key[0],
        "attempt": key[1],
        "scope": key[2],
        **{name: getattr(first, name) for name in ("tenant", "agent", "propensity")},
        "variant": next((fact.variant for fact, _ in story if fact.variant is not None), None),
        "sequence": max(fact.sequence for fact, _ in story),
        "revision": getattr(last, "revision", 0),
        "reward_micro": round(last.reward * 10**6),
        "rule": last.rule,
        "recorded_at": story[0][1],
        "revised_at": max((at for fact, at in story if isinstance(fact, ExampleSuperseded)), default=None),
    }


def _last(story: list[tuple[Example, datetime]]) -> Example:
    """Return the fact with the highest revision."""
    return max((fact for fact, _ in story), key=lambda fact: getattr(fact, "revision", 0))


def agent_reward(seen: Sequence[Seen]) -> Table:
    """Return the sums of the rewards that count, in the hour that each was first counted in."""
    table: Table = {}
    for story in _example_stories(seen).values():
        fact, at = story[0]
        reward = round(_last(story).reward * 10**6)
        key = (fact.tenant, fact.scope, fact.agent, _hour(at))
        zero = {"examples": 0, "reward_micro": 0, "reward_micro_squared": 0}
        row = table.setdefault(key, {**_hour_key(key), **zero})
        row["examples"] += 1
        row["reward_micro"] += reward
        row["reward_micro_squared"] += reward**2
    return table


def experiments(seen: Sequence[Seen]) -> Table:
    """Return what is compared with what, since when and until when."""
    starts = {_of(item.fact): item for item in seen if isinstance(item.fact, ExperimentStarted)}
    ends = {_of(item.fact): item for item in seen if isinstance(item.fact, ExperimentConcluded)}
    return {key: _compared(key, starts.get(key), ends.get(key)) for key in starts | ends}


def _of(fact: Any) -> Key:
    """Return the key of an experiment."""
    return (fact.tenant, fact.experiment_id)


def _compared(key: Key, start: Seen | None, end: Seen | None) -> dict[str, Any]:
    """Return one experiment's row from its two facts."""
    return {
        "tenant": key[0],
        "experiment_id": key[1],
        **{name: getattr(start.fact, name) if start else None for name in ("scope", "salt", "variants")},
        "started_at": start.at if start else None,
        "concluded_at": end.at if end else None,
        "reason": getattr(end.fact, "reason", None) if end else None,
        "state": "concluded" if end else "running",
    }


def policy_history(seen: Sequence[Seen]) -> Table:
    """Return which policies were put in force, and which states were stored."""
    names = ("scope", "policy", "policy_version", "parameters", "set_by", "reason", "context_map", "upto", "sequence")
    return {
        (item.event_id,): {
            "event_id": item.event_id,
            "happened_at": item.at,
            "change": "set" if isinstance(item.fact, PolicySet) else "snapshot",
            "tenant": item.fact.tenant,
            **{name: getattr(item.fact, name, None) for name in (*names, "digest")},
        }
        for item in seen
        if isinstance(item.fact, PolicySet | SnapshotPublished)
    }
