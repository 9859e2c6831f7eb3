"""One answer out of a plan's results, by its merge rule. Pure: the same results give the same report, to the byte.

`sections`: a section for each step in the plan's order, each with who did it and under which task. `fields`: outputs by step.
`step`: the output of the last step, with the rest beside it. What is missing is said in each.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from agents.team.reference import needs
from agents.team.standing import Part, Standing
from events.plan import PlanStep

_LINES = 40  # of a table or list in the report's text; the output itself has all
_CHARS = 2_000
_CITED = 5


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
        "steps": sections,
    }
    match standing.plan.merge:
        case "fields":
            return {"answer": {one["step"]: one["output"] for one in sections if "output" in one}, **whole}
        case "step":
            return {"answer": sections[-1].get("output"), **whole}
        case "sections":
            return {"report": _text(standing, sections), **whole}


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


def _text(standing: Standing, sections: list[dict[str, Any]]) -> str:
    """Return the report as Markdown; numbers in brackets name the tasks at its end."""
    cited = [part for one in sections for part in one["parts"]]
    numbers = {part["task_id"]: number for number, part in enumerate(cited, 1)}
    lines = [f"# Report: {standing.plan.name}", ""]
    if standing.outcome == "partial":
        bad = ", ".join(one["title"] for one in sections if one["outcome"] != "completed")
        lines += [f"**Partial**: {bad} could not be done.", ""]
    for one in sections:
        marks = "".join(f" [{numbers[part['task_id']]}]" for part in one["parts"])
        lines += [f"## {one['title']}{marks}", "", *_said(one), ""]
    lines += ["## Who did what", ""]
    lines += [_source(numbers[part["task_id"]], part) for part in cited]
    return "\n".join(lines).rstrip() + "\n"


def _said(section: Mapping[str, Any]) -> list[str]:
    """Return a section's text: its output, what was open, or why there is none."""
    if "output" not in section:
        return [f"Not done: {section['detail'] or section['reason']}."]
    settled = section.get("settled")
    if settled and settled["chosen"] is None:
        head = [f"**Open**: the answers contradict each other, and rule {settled['rule']} settles nothing."]
        return [*head, *(f"- {one['agent']}: {_short(one['output'])}" for one in section["answers"])]
    tail = [f"(Contradictions settled by rule {settled['rule']}.)"] if settled and settled["conflicts"] else []
    return [*_lines(section["output"]), *_sources(section["output"]), *tail]


def _sources(output: Any) -> list[str]:
    """Return the evidence that an output names, a line each."""
    cited = output.get("citations") if isinstance(output, dict) else None
    return [f"> {_short(one)}" for one in cited[:_CITED]] if isinstance(cited, list) else []


def _lines(output: Any) -> list[str]:
    """Return an output as lines of Markdown."""
    match output:
        case {"text": str(text)} | {"summary": str(text)} | {"answer": str(text)} | {"report": str(text)} | str(text):
            return text[:_CHARS].splitlines()
        case {"columns": [str(), *_] as names, "rows": [list(), *_] as rows}:
            return _table([dict(zip(names, row, strict=False)) for row in rows])
        case {"rows": [dict(), *_] as rows}:
            return _table(rows)
        case dict():
            some = [(name, value) for name, value in output.items() if name != "citations"][:_LINES]
            return [line for name, value in some for line in _field(str(name), value)]
        case list():
            return [f"- {_short(value)}" for value in output[:_LINES]]
        case _:
            return [_short(output)]


def _field(name: str, value: Any) -> list[str]:
    """Return a field as a line, or as a table where it is a list of objects."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [f"{name}:", "", *_table(value), ""]
    return [f"- {name}: {_short(value)}"]


def _table(rows: list[Any]) -> list[str]:
    names = [str(name) for name in rows[0]]
    body = ["| " + " | ".join(_short(row.get(name)) for name in names) + " |" for row in rows[:_LINES]]
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *body]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    return " ".join(text.split()).replace("|", "\\|")[:200]


def _source(number: int, part: Mapping[str, Any]) -> str:
    """Return one line on who did a part."""
    chance = "" if part["propensity"] is None else f", chosen of {part['candidates']} with probability {part['propensity']:.3f}"
    score = "" if part["score"] is None else f" (score {part['score']:.3f} by {part['policy']})"
    cost = "" if part["cost_microusd"] is None else f", {part['cost_microusd']} microusd"
    who = part["agent"] or "nobody"
    return f"{number}. {who}: task {part['task_id']}{chance}{score}, {part['duration_us'] / 1000:.0f} ms{cost}"
