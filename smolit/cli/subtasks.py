"""`smolit agent subtasks`: who is best at which kind of task, and how sure that is."""

import asyncio
from typing import Annotated

import typer

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AttemptEnded, TaskSubmitted
from events.topics import DEFAULT_TENANT
from events.wire import decode, event_type
from learning.subtask import Cell, cells, tried
from smolit.cli import out
from smolit.cli.desk import open_desk
from smolit.cli.log import whole_log
from smolit.cli.option import Json, Tenant
from smolit.cli.out import interval
from smolit.errors import NothingFound

Kind = Annotated[str | None, typer.Option("--kind", help="Only tasks of this kind; else of every one.")]
Least = Annotated[int, typer.Option("--least", min=2, max=100_000, help="Judged attempts below which nobody is ranked.")]
_READS = frozenset(cls.event_type.wire_name for cls in (TaskSubmitted, AttemptEnded, ExampleRecorded, ExampleSuperseded))


def subtasks(kind: Kind = None, least: Least = 10, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Print each agent's reward, success, time and cost at each kind of task, ranked where there are enough, from the log."""
    records = asyncio.run(whole_log(open_desk()))
    facts = (decode(record.headers, record.value).fact for record in records if event_type(record.headers) in _READS)
    found = [cell for cell in cells(tried(facts, tenant), least) if kind in (None, cell.subtask)]
    if not found:
        raise NothingFound("no attempt at such a task is over (yet)")
    if as_json:
        out.json(found)
        return
    columns = ("kind", "rank", "agent", "judged", "reward, more is better", "attempts", "success", "ms, less is better", "cost")
    out.table(columns, [_row(cell, least) for cell in found], title="means with 95 % intervals")


def _row(cell: Cell, least: int) -> tuple[object, ...]:
    rank = f"too few (< {least})" if cell.rank is None else f"{cell.rank}{' (clear)' if cell.clear else ''}"
    cost = None if cell.mean_cost_microusd is None else f"{cell.mean_cost_microusd / 1_000_000:.6f} $"
    time = f"{cell.mean_duration_us / 1000:.1f}"
    return cell.subtask, rank, cell.agent, cell.judged, interval(cell.reward), cell.attempts, interval(cell.success), time, cost
