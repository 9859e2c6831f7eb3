"""One answer out of a plan's results, by its merge rule. Pure: the same results give the same report, to the byte.

`sections`: a report for people (`agents/team/telling.py`) that names for each step who did it, why, and under which task.
`fields`: outputs by step. `step`: the output of the last step, with the rest beside it. What is missing is said in each.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from agents.team.reference import needs
from agents.team.standing import Part, Standing
from agents.team.telling import report
from events.plan import PlanStep


def merged(standing: Standing, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer; `outputs` are those of completed parts by task."""
    sections = [_section(step, standing, outputs) for step in standing.plan.steps]
    whole = {
        "outcome": standing.outcome,
        "plan": f"{standing.plan.name}/{standing.plan.version}",
        "made_by": standing.made_by,
        "why": standing.why,
        "missing": [one["step"] for one in sections if one["outcome"] != "completed"],
        "open": [one["step"] for one in sections if (one.get("settled") or {}).get("chosen", 0) is None],
        "cost_microusd": standing.cost_microusd,
        "duration_us": standing.took // timedelta(microseconds=1),
        "steps": sections,
    }
    match standing.plan.merge:
        case "fields":
            return {"answer": {one["step"]: one["output"] for one in sections if "output" in one}, **whole}
        case "step":
            return {"answer": sections[-1].get("output"), **whole}
        case "sections":
            return {"report": report(standing, sections), **whole}


def _section(step: PlanStep, standing: Standing, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is to tell of one step."""
    end, part = standing.ended[step.id], standing.result(step.id)
    told: dict[str, Any] = {
        "step": step.id,
        "title": step.title or step.id.replace("_", " "),
        "kind": step.kind,
        "outcome": end.outcome,
        "needs": list(needs(step)),
        "parts": [_cited(one) for one in standing.parts.get(step.id, ())],
    }
    if part is not None and part.task_id in outputs:
        told["output"] = outputs[part.task_id]
    else:
        told |= {"reason": end.reason, "detail": end.detail}
    if end.settled is not None:
        told["settled"] = msgspec.to_builtins(end.settled)
        told["answers"] = [
            {"agent": one.agent, "output": outputs[one.task_id]} for one in standing.parts[step.id] if one.task_id in outputs
        ]
    return told


def _cited(part: Part) -> dict[str, Any]:
    """Return who did a part and why it was chosen: its chance, and what was expected of it."""
    return {
        "task_id": part.task_id,
        "agent": part.agent,
        "outcome": part.outcome,
        "attempts": part.attempt,
        "propensity": part.propensity,
        "candidates": part.candidates,
        "score": part.score,
        "policy": part.policy,
        "cost_microusd": part.cost_microusd,
        "duration_us": part.duration_us,
    }
