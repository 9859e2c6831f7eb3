"""The report of a plan, for whoever asked: how it went, what came out, what that leans on, and who did it and why. Pure.

What nothing else was made of stands first: it is what was asked for. What it was made of comes after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agents.team.standing import Standing

_LINES = 40  # of a table or list in the report's text; the output itself has all
_CHARS = 2_000
_CITED = 5
_ASIDE = frozenset({"citations", "counts", "back_test"})  # beside what they are about they say nothing to people
_PLACES = frozenset({"start", "end"})


def report(standing: Standing, sections: Sequence[Mapping[str, Any]]) -> str:
    """Return the report as Markdown; numbers in brackets name the tasks at its end."""
    cited = [(one, part) for one in sections for part in one["parts"]]
    numbers = {part["task_id"]: number for number, (_, part) in enumerate(cited, 1)}
    used = {name for one in sections for name in one["needs"]}
    results = [one for one in sections if one["step"] not in used]
    lines = [f"# Report: {standing.plan.name}", "", *_head(standing, sections), ""]
    for one in results:
        lines += _section(one, numbers)
    if len(results) < len(sections):
        lines += ["# What that was made of", ""]
        for one in sections:
            lines += _section(one, numbers) if one["step"] in used else []
    lines += ["## Who did what, and why", ""]
    lines += [_source(numbers[part["task_id"]], section, part) for section, part in cited]
    return "\n".join(lines).rstrip() + "\n"


def _head(standing: Standing, sections: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was asked, how it went, how long it took and what it cost."""
    bad = [one["title"] for one in sections if one["outcome"] != "completed"]
    went = f"**Partial**: {', '.join(bad)} could not be done." if bad else f"All {len(sections)} steps were done."
    cost = "nobody said what it cost" if standing.cost_microusd is None else f"it cost {_dollars(standing.cost_microusd)}"
    took = f"It took {standing.took.total_seconds():.1f} s, and {cost}."
    return [f"> {_short(standing.brief.text)}", "", went, took, f"Plan by {standing.made_by}: {standing.why}."]


def _section(one: Mapping[str, Any], numbers: Mapping[str, int]) -> list[str]:
    marks = "".join(f" [{numbers[part['task_id']]}]" for part in one["parts"])
    return [f"## {one['title']}{marks}", "", *_output(one), ""]


def _output(section: Mapping[str, Any]) -> list[str]:
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
    return [f"> {_cited(one)}" for one in cited[:_CITED]] if isinstance(cited, list) else []


def _cited(one: Any) -> str:
    """Return a piece of evidence as people cite it: what it says, and where that stands."""
    if isinstance(one, Mapping) and {"quote", "title", "version", "chunk"} <= set(one):
        return f'"{_short(one["quote"])}" ({_short(one["title"])}, version {one["version"]}, passage {one["chunk"]})'
    return _short(one)


def _lines(output: Any) -> list[str]:
    """Return an output as lines of Markdown."""
    match output:
        case {"label": str(label), "confidence": float(sure)}:
            return [f"**{label}** ({sure:.0%} sure)"]
        case {"text": str(text)} | {"summary": str(text)} | {"answer": str(text)} | {"report": str(text)} | str(text):
            return text[:_CHARS].splitlines()
        case {"columns": [str(), *_] as names, "rows": [list(), *_] as rows}:
            return _table([dict(zip(names, row, strict=False)) for row in rows])
        case {"rows": [dict(), *_] as rows}:
            return _table(rows)
        case dict():
            some = [(name, value) for name, value in output.items() if name not in _ASIDE and value is not None][:_LINES]
            return [line for name, value in some for line in _field(str(name), value)]
        case list():
            return [f"- {_short(value)}" for value in output[:_LINES]]
        case _:
            return [_short(output)]


def _field(name: str, value: Any) -> list[str]:
    """Return a field as a line, or as a table where it is a list of objects."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return ["" if name == "entities" else f"{name}:", "", *_table(value), ""]
    return [f"- {name}: {_short(value)}"]


def _table(rows: list[Any]) -> list[str]:
    names = [str(name) for name in rows[0] if name not in _PLACES]
    body = ["| " + " | ".join(_short(row.get(name)) for name in names) + " |" for row in rows[:_LINES]]
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *body]


def _short(value: Any) -> str:
    """Return a value in a line; of a number as many digits as people read."""
    if isinstance(value, float):
        value = round(value, 2 if abs(value) >= 1 else 4)
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    return " ".join(text.split()).replace("|", "\\|")[:200]


def _source(number: int, section: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """Return one line on who did a part, why that one was chosen, and what it took."""
    tries = f" in {part['attempts']} attempts" if part["attempts"] > 1 else ""
    cost = "" if part["cost_microusd"] is None else f", {_dollars(part['cost_microusd'])}"
    who = part["agent"] or "nobody"
    told = f"{section['title']}: {who}{tries}, {_chosen(part)}; {part['duration_us'] / 1000:.0f} ms{cost}"
    return f"{number}. {told} (task {part['task_id']})"


def _chosen(part: Mapping[str, Any]) -> str:
    """Return why an agent was chosen: of how many, with which chance, and what was expected of it."""
    if part["propensity"] is None:
        return "nobody was chosen"
    if part["candidates"] == 1:
        return "the only one who can"
    score = "" if part["score"] is None else f", as a reward of {part['score']:.2f} was expected of it ({part['policy']})"
    return f"chosen of {part['candidates']} with probability {part['propensity']:.3f}{score}"


def _dollars(microusd: int) -> str:
    """Return an amount as people write it."""
    return f"${microusd / 1e6:.6f}".rstrip("0").rstrip(".")
