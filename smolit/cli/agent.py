"""`smolit agent`: who works, and since when."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from events.request import ChangeAgent, RegisterAgent
from events.topics import DEFAULT_TENANT
from projections.agent import agents
from projections.performance import Performance, performance
from projections.use import Use, use
from smolit.cli import out, spec_file
from smolit.cli.desk import ask_for, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.cli.task_change import Reason
from smolit.errors import NothingFound
from store.postgres import Connection

Change = Literal["pause", "resume", "retire"]
AgentId = Annotated[str, typer.Argument(metavar="AGENT", help="Id of an agent.")]
Specs = Annotated[list[Path], typer.Argument(metavar="SPEC...", help="YAML files, or folders of them.")]

_SHOWN = frozenset(
    {"scope", "chosen", "explored", "completed", "failed", "timed_out", "success_rate", "p50_duration_us"}
    | {"mean_reward", "reward_low", "reward_high"}
)


def list_agents(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List agents with what they did so far."""
    found = read(open_desk(), lambda connection: _all(connection, tenant))
    if as_json:
        out.json(found)
        return
    rows = []
    for one in found:
        did = one["performance"]
        sums = [sum(part[name] for part in did) for name in ("chosen", "completed", "rewarded")]
        rows.append((one["agent"].agent_id, one["agent"].state, *sums, _mean(did), one["agent"].registered_at))
    out.table(("agent", "state", "chosen", "completed", "rewarded", "mean reward", "registered"), rows)


def show(agent_id: AgentId, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show one agent: its spec, its state, and what it did in each scope."""
    desk = open_desk()
    found = next(
        (one for one in read(desk, lambda connection: _all(connection, tenant)) if one["agent"].agent_id == agent_id), None
    )
    if found is None:
        raise NothingFound(f"no agent {agent_id!r} of tenant {tenant!r} is registered")
    found["models"] = read(desk, lambda connection: use(connection, tenant, agent_id))
    if as_json:
        out.json(found)
        return
    row = found["agent"]
    out.facts({name: getattr(row, name) for name in type(row).__struct_fields__ if name != "spec"})
    out.facts(row.spec or {})
    columns = [name for name in Performance.__struct_fields__ if name in _SHOWN]
    if found["performance"]:
        out.table(columns, [[part[name] for name in columns] for part in found["performance"]])
    if found["models"]:
        out.table(Use.__struct_fields__, [[getattr(one, name) for name in Use.__struct_fields__] for one in found["models"]])


def lint(specs: Specs) -> None:
    """Check agent specs; every fault is told with its file and line."""
    from agents.spec import AGENTS  # YAML and every pipeline: only these two commands need them

    spec_file.lint(specs, AGENTS)


def register(specs: Specs, tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Register agents, or revise those that are known; nothing is sent while a spec has a fault."""
    from agents.spec import AGENTS

    for spec in spec_file.sound(specs, AGENTS):
        ask_for(tenant, RegisterAgent(spec=spec), dry_run, f"{spec.id} is registered")


def pause(agent_id: AgentId, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let an agent drain: it ends what it has and gets nothing new."""
    _change(agent_id, "pause", "paused", reason, tenant, dry_run)


def resume(agent_id: AgentId, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let a paused agent be chosen again."""
    _change(agent_id, "resume", "active again", reason, tenant, dry_run)


def retire(agent_id: AgentId, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Take an agent out of service for good; its history stays."""
    _change(agent_id, "retire", "retired", reason, tenant, dry_run)


def _change(
    agent_id: str, change: Literal["pause", "resume", "retire"], done: str, reason: str, tenant: str, dry_run: bool
) -> None:
    ask_for(tenant, ChangeAgent(agent_id=agent_id, change=change, reason=reason), dry_run, f"{agent_id} is {done}")


async def _all(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """Return every agent with what it did, by scope."""
    did = await performance(connection, tenant)
    return [
        {"agent": one, "performance": [_fields(part) for part in did if part.agent == one.agent_id]}
        for one in await agents(connection, tenant)
    ]


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__struct_fields__}


def _mean(did: list[dict[str, Any]]) -> float | None:
    """Return the mean reward over all scopes."""
    rewarded = sum(part["rewarded"] for part in did)
    return sum((part["mean_reward"] or 0.0) * part["rewarded"] for part in did) / rewarded if rewarded else None
