"""`smolit agent subtasks`: which model did which step of which kind of task how well, at what time and cost."""

import asyncio

from events.event import Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AttemptEnded, TaskSubmitted
from events.topics import DEFAULT_TENANT
from events.wire import decode, event_type
from learning.subtasks import DIRECTIONS, LEAST, Cell, Mean, cells
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.log import whole_log
from smolit.cli.option import Json, Tenant
from smolit.errors import NothingFound

_READS = frozenset(cls.event_type.wire_name for cls in (TaskSubmitted, AttemptEnded, ExampleRecorded, ExampleSuperseded))


def subtasks(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Print each model by step and kind of task: mean reward, time and cost with intervals, ranked where enough is known."""
    found = cells(asyncio.run(_facts(open_desk())), tenant)
    if not found:
        raise NothingFound("no attempt that used a model is over (yet)")
    if as_json:
        out.json({"directions": DIRECTIONS, "least": LEAST, "cells": found})
        return
    columns = ("kind", "step", "model", "n", "reward", "ms", "microusd", "rank")
    out.table(columns, [_row(one) for one in found], "means with 95 % intervals; reward: higher is better, time and cost: lower")


async def _facts(desk: Desk) -> list[Message]:
    """Return the facts that cells are made of, as they are in the log."""
    records = await whole_log(desk)
    return [decode(record.headers, record.value).fact for record in records if event_type(record.headers) in _READS]


def _row(one: Cell) -> tuple[object, ...]:
    rank = one.rank or f"too few rewards ({one.rewarded} of {LEAST})"
    return one.kind, one.step, one.model, one.n, _told(one.reward), _told(one.duration_us, 1e-3), _told(one.cost_microusd), rank


def _told(found: Mean | None, scale: float = 1.0) -> str | None:
    if found is None:
        return None
    if found.low is None or found.high is None:
        return f"{found.value * scale:.3g}"
    return f"{found.value * scale:.3g} ({found.low * scale:.3g} to {found.high * scale:.3g})"
