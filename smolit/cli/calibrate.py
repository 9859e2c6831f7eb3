"""`smolit policy calibrate`: past tasks done again by several agents, what that costs, and what it tells."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress, TaskID

from events.calibration import Judge, Limits
from events.topics import DEFAULT_TENANT
from projections.calibration import CopyRow, results
from smolit.calibration.presence import present
from smolit.calibration.rule import Calibration, Copy, Known, Over, dollars, next_round, settled, sums
from smolit.calibration.session import Open, Wanted, course, plan, start, unfinished
from smolit.cli import out
from smolit.cli.calibrations import BY_AGENT, agent_row, totals
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import DryRun, Json, Scope, Tenant, seconds
from smolit.errors import CalibrationUnfinished, UsageInvalid

_FOR_A_NEW_ONE = 10  # tasks, where nobody says how many
_MOST = 1_000

Tasks = Annotated[int | None, typer.Option("--tasks", min=1, max=_MOST, help="Past tasks that are done again, at most.")]
Budget = Annotated[float | None, typer.Option("--budget", min=0, metavar="DOLLARS", help="What all copies may cost together.")]
Agents = Annotated[str | None, typer.Option("--agents", metavar="A,B", help="Only these agents; else every one that is live.")]
New = Annotated[str | None, typer.Option("--new", metavar="AGENT", help="Only this agent, on 10 tasks unless --tasks says else.")]
JudgedBy = Annotated[
    Judge, typer.Option("--judge", help="Who judges: whoever gives feedback, or what past feedback said is right.")
]
Worth = Annotated[
    float | None, typer.Option(metavar="DOLLARS", min=0, help="What a reward of 1 is worth: no task that costs more is done.")
]
Horizon = Annotated[int, typer.Option(min=1, metavar="TASKS", help="Tasks to come that --worth reckons with.")]
Size = Annotated[
    int, typer.Option("--at-a-time", min=1, max=_MOST, help="Tasks under way together; limits count after each lot.")
]
Patience = Annotated[str, typer.Option(metavar="SPAN", help="How long nothing may change before it waits no longer (30s, 10m).")]
Id = Annotated[str | None, typer.Option("--id", help="Name of the calibration; else one made of scope and time.")]
Resume = Annotated[str | None, typer.Option("--resume", metavar="ID", help="Go on with one that was left unfinished.")]
Stop = Annotated[str | None, typer.Option("--stop", metavar="ID", help="End one that was left unfinished, as it is.")]


class How(msgspec.Struct, frozen=True):
    """How it is run and told, whichever it is."""

    size: int
    patience_s: float
    dry_run: bool
    as_json: bool


def calibrate(
    tasks: Tasks = None,
    budget: Budget = None,
    agents: Agents = None,
    new: New = None,
    scope: Scope = "default",
    judge: JudgedBy = "feedback",
    worth: Worth = None,
    horizon: Horizon = 1_000,
    at_a_time: Size = 5,
    patience: Patience = "10m",
    calibration_id: Id = None,
    resume: Resume = None,
    stop: Stop = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have several agents do the same past tasks, so that it is learned early who is good, and show what that costs."""
    how = How(at_a_time, seconds(patience), dry_run, as_json)
    if sum(one is not None for one in (resume, stop)) + any(one is not None for one in (tasks, budget, new)) != 1:
        raise UsageInvalid("say how much: --tasks N, --budget DOLLARS or --new AGENT; or which one: --resume ID or --stop ID")
    if resume is not None:
        asyncio.run(_resume(open_desk(), tenant, resume, how))
    elif stop is not None:
        asyncio.run(_stop(open_desk(), tenant, stop, how))
    else:
        limits = Limits(_microusd(budget), horizon, _microusd(worth))
        name = calibration_id or f"{scope}-{now():%Y%m%dT%H%M%S}"
        wanted = Wanted(name, scope, tasks or (_FOR_A_NEW_ONE if new else _MOST), _named(agents, new), limits, judge)
        asyncio.run(_begin(open_desk(), tenant, wanted, how))


def _microusd(money: float | None) -> int | None:
    return None if money is None else round(money * 1e6)


def _named(agents: str | None, new: str | None) -> frozenset[str] | None:
    """Return whom the calibration is about; None: everybody."""
    if agents is not None and new is not None:
        raise UsageInvalid("say either --agents or --new")
    named = frozenset(one.strip() for one in (agents or new or "").split(",") if one.strip())
    return named or None


@asynccontextmanager
async def _opened(desk: Desk, tenant: str) -> AsyncIterator[Open]:
    """Yield connections to Kafka and Postgres, and who is there."""
    where = desk.endpoints.kafka
    async with (
        desk.reading() as connection,
        desk.client(tenant) as client,
        present(where, desk.names, tenant, desk.settings.heartbeat_s, now) as presence,
    ):
        yield Open(tenant, client, connection, presence)


async def _begin(desk: Desk, tenant: str, wanted: Wanted, how: How) -> None:
    """Plan, write the plan down, run it."""
    async with _opened(desk, tenant) as there:
        made = await plan(there, wanted)
        known = await (await course(there, made, lambda _: None)).known()
        _check_budget(wanted, known)
        if how.dry_run:
            _tell_plan(made, known, next_round(made, known, lambda _: True, how.size), how)
            return
        await start(there, made)
        out.say(f"calibration {made.calibration_id} runs: {_planned(made)}, {_expected(made, known)}")
        await _run(there, made, how)


async def _resume(desk: Desk, tenant: str, calibration_id: str, how: How) -> None:
    async with _opened(desk, tenant) as there:
        made = unfinished(there, calibration_id)
        if how.dry_run:
            known = await (await course(there, made, lambda _: None)).known()
            _tell_plan(made, known, next_round(made, known, lambda _: True, how.size), how)
            return
        await _run(there, made, how)


async def _stop(desk: Desk, tenant: str, calibration_id: str, how: How) -> None:
    async with _opened(desk, tenant) as there:
        made = unfinished(there, calibration_id)
        if how.dry_run:
            out.say(f"would end calibration {calibration_id} as it is")
            return
        over = Over("stopped", "stopped on the command line")
        await (await course(there, made, lambda _: None)).end(over)
        await _tell_end(there, made, over, how)


async def _run(there: Open, made: Calibration, how: How) -> None:
    """Run a plan to its end, show how far it is, and write the end down."""
    total = sum(len(task.agents) for task in made.tasks)
    with out.progress(total) as shown:
        going = await course(there, made, _Shown(shown, shown.add_task("copies done and judged", total=total), total))
        try:
            over = await going.run(how.size, how.patience_s)
        except CalibrationUnfinished:
            _tell_waiting(await going.waiting(), how)
            raise
    await going.end(over)
    await _tell_end(there, made, over, how)


class _Shown:
    """Shows how far it is: a bar that moves where somebody looks, else a line when a lot is done."""

    def __init__(self, shown: Progress, bar: TaskID, total: int) -> None:
        self._shown, self._bar, self._total, self._said = shown, bar, total, 0

    def __call__(self, made: Sequence[CopyRow]) -> None:
        """Hear how far it is."""
        done, came_to = sum(settled(one) for one in made), sums(made)
        self._shown.update(self._bar, completed=done, description=f"copies done, {dollars(came_to.cost_microusd)} spent")
        if not self._shown.console.is_terminal and done == len(made) and done > self._said:
            self._said = done
            spent = f"{dollars(came_to.cost_microusd)} spent by {came_to.costed} that said so"
            out.say(f"{done} of {self._total} copies done, {came_to.judged} judged, {spent}")


def _check_budget(wanted: Wanted, known: Known) -> None:
    """Refuse a budget that limits nothing: an agent that never said what it costs may cost anything."""
    if wanted.limits.budget_microusd is not None and wanted.tasks == _MOST and not any(known.costs.values()):
        raise UsageInvalid("no agent has said yet what it costs, so a budget alone limits nothing: give --tasks N, too")


def _tell_plan(made: Calibration, known: Known, first: list[Copy] | Over, how: How) -> None:
    """Write what would be done."""
    if how.as_json:
        told = {"calibration": made, "expected_cost_microusd": round(_expected_microusd(made, known)), "first": first}
        out.json(told)
        return
    out.table(
        ("past task", "agents that do it again", "why"), [(one.task_id, ", ".join(one.agents), one.why) for one in made.tasks]
    )
    out.line(f"{_planned(made)}, {_expected(made, known)}; nothing is done")
    if isinstance(first, Over):
        out.line(f"it would end at once: {first.reason}")


def _tell_waiting(waiting: Sequence[CopyRow], how: How) -> None:
    """Write which copies wait, for an answer or for somebody to judge it."""
    if how.as_json:
        out.json({"waiting": waiting})
        return
    rows = [(one.task_id, one.agent, one.outcome or "not answered", one.output) for one in waiting]
    out.table(("copy", "agent", "state", "answer"), rows)


async def _tell_end(there: Open, made: Calibration, over: Over, how: How) -> None:
    """Write what it came to."""
    found = [one for one in await results(there.connection, there.tenant) if one.calibration_id == made.calibration_id]
    came_to: dict[str, Any] = {"calibration": made.calibration_id, "why": over.why, "reason": over.reason}
    if how.as_json:
        out.json({**came_to, "agents": found})
        return
    out.table(BY_AGENT, [agent_row(one) for one in found])
    copies, judged, cost, costed = totals(found)
    out.facts({**came_to, "copies": copies, "judged": judged, "cost": f"{dollars(cost)}, of {costed} copies that said it"})


def _planned(made: Calibration) -> str:
    copies = sum(len(task.agents) for task in made.tasks)
    agents = {agent for task in made.tasks for agent in task.agents}
    return f"{len(made.tasks)} past task(s), {copies} copies for {len(agents)} agent(s)"


def _expected_microusd(made: Calibration, known: Known) -> float:
    return sum(known.costs.get(agent, 0.0) for task in made.tasks for agent in task.agents)


def _expected(made: Calibration, known: Known) -> str:
    """Say what all copies are expected to cost, and of whom that is not known; no amount where it is known of nobody."""
    asked = {agent for task in made.tasks for agent in task.agents}
    if not asked & known.costs.keys():
        return "at a cost that is not known, since none of them has said one yet"
    unknown = sorted(asked - known.costs.keys())
    rest = f" (not known of {', '.join(unknown)})" if unknown else ""
    return f"expected to cost {dollars(_expected_microusd(made, known))}{rest}"
