"""How the demo tells of its second act: what went in, the plan with who did what and why, the report, and what is known later."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from smolit.demo.second import ATTACHED, DOCUMENTS, QUESTION, RECALL, REMEMBERED, TEXT, Given, Recalled, Second

LINES = 120


def print_given(console: Console, given: Given) -> None:
    """Print what went to the team and what came back."""
    names = ", ".join(name for name, _ in ATTACHED)
    console.print("\n[bold]Second act: what no single agent can do[/bold]")
    console.print(f"in: {names}, a customer's review; known before: {', '.join(DOCUMENTS)}", highlight=False)
    console.print(f"asked: {TEXT} {QUESTION}", highlight=False)
    console.print(steps(given.output))
    console.print("[bold]The report[/bold]")
    told = str(given.output.get("report", "")).splitlines()
    for line in told[:LINES]:
        console.print(f"  {escape(line)}", highlight=False)
    if len(told) > LINES:
        console.print(f"  ... {len(told) - LINES} lines more: smolit task show {given.task_id}", highlight=False)


def steps(output: Mapping[str, Any]) -> Table:
    """Return the plan as a table: each step with its agent, how probable that was, what it cost and took."""
    shown = Table("step", "kind", "outcome", "agent", "chance", "of", "microusd", "ms", title_justify="left")
    shown.title = f"{output['plan']}: {output['why']}"
    for one in output["steps"]:
        for part in one["parts"] or [{}]:
            took = part.get("duration_us")
            shown.add_row(
                one["title"],
                one["kind"],
                one["outcome"],
                part.get("agent") or "",
                _number(part.get("propensity"), ".3f"),
                str(part.get("candidates") or ""),
                _number(part.get("cost_microusd"), "d"),
                _number(None if took is None else took / 1000, ".0f"),
            )
    return shown


def print_recalled(console: Console, recalled: Recalled, second: Second) -> None:
    """Print what was known after everything had been restarted."""
    where = f"after a restart of {second.restart_s:.1f} s" if second.restart_s is not None else "without a restart: it ran before"
    console.print(f"\n[bold]Recalled[/bold] {where}")
    console.print(f"  plan: {', '.join(f'{one.step} {one.outcome}' for one in recalled.steps)}", highlight=False)
    console.print(f"  said before: {REMEMBERED}\n  asked: {RECALL}\n  answer: {escape(recalled.said)}", highlight=False)


def _number(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)
