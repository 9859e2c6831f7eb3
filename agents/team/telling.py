"""The report of a plan, for whoever asked: how it went, what came out, what that leans on, and who did it and why. Pure.

What nothing else was made of stands first: it is what was asked for. What it was made of comes after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.team.standing import Standing
from agents.told import lines, short, sources

_CHARS = 2_000  # of a step's text; the output itself has all


def report(standing: Standing, sections: Sequence[Mapping[str, Any]]) -> str:
    """Return the report as Markdown; numbers in brackets name the tasks at its end."""
    cited = [(one, part) for one in sections for part in one["parts"]]
    numbers = {part["task_id"]: number for number, (_, part) in enumerate(cited, 1)}
    used = {name for one in sections for name in one["needs"]}
    results = [one for one in sections if one["step"] not in used]
    made = [f"# Report: {standing.plan.name}", "", *_head(standing, sections), ""]
    for one in results:
        made += _section(one, numbers)
    if len(results) < len(sections):
        made += ["# What that was made of", ""]
        for one in sections:
            made += _section(one, numbers) if one["step"] in used else []
    made += ["## Who did what, and why", ""]
    made += [_source(numbers[part["task_id"]], section, part) for section, part in cited]
    return "\n".join(made).rstrip() + "\n"


def _head(standing: Standing, sections: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was asked, how it went, how long it took and what it cost."""
    bad = [one["title"] for one in sections if one["outcome"] != "completed"]
    went = f"**Partial**: {', '.join(bad)} could not be done." if bad else f"All {len(sections)} steps were done."
    cost = "nobody said what it cost" if standing.cost_microusd is None else f"it cost {_dollars(standing.cost_microusd)}"
    took = f"It took {standing.took.total_seconds():.1f} s, and {cost}."
    return [f"> {short(standing.brief.text)}", "", went, took, f"Plan by {standing.made_by}: {standing.why}."]


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
        return [*head, *(f"- {one['agent']}: {short(one['output'])}" for one in section["answers"])]
    tail = [f"(Contradictions settled by rule {settled['rule']}.)"] if settled and settled["conflicts"] else []
    return [*lines(section["output"], _CHARS), *sources(section["output"]), *tail]


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
