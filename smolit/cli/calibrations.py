"""`smolit policy calibrations`: what was done again, what it cost, and what each agent earned on it."""

from collections.abc import Sequence

from msgspec.structs import asdict

from events.topics import DEFAULT_TENANT
from projections.calibration import AgentResult, CalibrationRow, calibrations, results
from smolit.calibration.rule import dollars
from smolit.cli import out
from smolit.cli.desk import open_desk, read
from smolit.cli.option import Json, Tenant
from store.postgres import Connection

BY_AGENT = ("agent", "copies", "judged", "failed", "mean reward", "cost", "copies that said it")
_LISTED = ("calibration", "state", "scope", "tasks planned", "copies", "judged", "cost", "copies that said it", "started", "why")


def list_calibrations(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List calibrations with what they cost, newest first."""
    found, by_agent = read(open_desk(), lambda connection: _all(connection, tenant))
    whole = [(one, [each for each in by_agent if each.calibration_id == one.calibration_id]) for one in found]
    if as_json:
        out.json([{**asdict(one), "agents": agents} for one, agents in whole])
        return
    out.table(_LISTED, [_listed(one, agents) for one, agents in whole])


def agent_row(one: AgentResult) -> tuple[object, ...]:
    """Return what an agent did in a calibration, as people read it."""
    mean = None if one.mean_reward is None else f"{one.mean_reward:.3f}"
    if one.reward_low is not None:
        mean = f"{mean} ({one.reward_low:.3f} to {one.reward_high:.3f})"
    cost = None if one.cost_microusd is None else dollars(one.cost_microusd)
    return one.agent, one.copies, one.rewarded, one.failed, mean, cost, one.costed


def totals(agents: Sequence[AgentResult]) -> tuple[int, int, int, int]:
    """Return copies, judged ones, cost in millionths of a dollar, and how many said it, of all agents together."""
    return (
        sum(one.copies for one in agents),
        sum(one.rewarded for one in agents),
        sum(one.cost_microusd or 0 for one in agents),
        sum(one.costed for one in agents),
    )


async def _all(connection: Connection, tenant: str) -> tuple[list[CalibrationRow], list[AgentResult]]:
    return await calibrations(connection, tenant), await results(connection, tenant)


def _listed(one: CalibrationRow, agents: Sequence[AgentResult]) -> tuple[object, ...]:
    copies, judged, cost, costed = totals(agents)
    tasks = len(one.tasks or ())
    return one.calibration_id, one.state, one.scope, tasks, copies, judged, dollars(cost), costed, one.started_at, one.why
