"""The naive fold of calibrations and their copies; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

from events.calibration import CalibrationEnded, CalibrationStarted
from events.task import TaskSubmitted
from projections.naive import Key, Seen, Table


def calibrations(seen: Sequence[Seen]) -> Table:
    """Return what is done again within which limits, since when, until when and why it ended."""
    starts = {(item.fact.tenant, item.fact.calibration_id): item for item in seen if isinstance(item.fact, CalibrationStarted)}
    ends = {(item.fact.tenant, item.fact.calibration_id): item for item in seen if isinstance(item.fact, CalibrationEnded)}
    return {key: _row(key, starts.get(key), ends.get(key)) for key in starts | ends}


def _row(key: Key, start: Seen | None, end: Seen | None) -> dict[str, Any]:
    """Return one calibration's row from its two facts."""
    limits = getattr(start.fact, "limits", None) if start else None
    return {
        "tenant": key[0],
        "calibration_id": key[1],
        **{name: getattr(start.fact, name) if start else None for name in ("scope", "tasks", "judged_by")},
        **{name: getattr(limits, name, None) for name in ("budget_microusd", "horizon", "worth_microusd")},
        "started_at": start.at if start else None,
        "ended_at": end.at if end else None,
        **{name: getattr(end.fact, name) if end else None for name in ("why", "reason")},
        "state": "ended" if end else "running",
    }


def copies(seen: Sequence[Seen]) -> Table:
    """Return which task does which past task again, for which calibration and by whom."""
    table: Table = {}
    for item in seen:
        fact = item.fact
        if isinstance(fact, TaskSubmitted) and fact.copy_of:
            table[fact.task_id, fact.tenant] = {
                "task_id": fact.task_id,
                "tenant": fact.tenant,
                "calibration_id": fact.copy_of.calibration,
                "copy_of": fact.copy_of.task_id,
                "agent": fact.agent,
                "submitted_at": item.at,
            }
    return table
