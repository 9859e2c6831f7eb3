"""How the demo tells what it saw: one table, three choices explained, three queries to try."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.told import said
from events.task import AgentChosen, Candidate
from smolit.demo.local_work import Done
from smolit.demo.report import Figure, Report

QUESTION = 110
CAPTION = (
    "Exam questions (MMLU-Pro), each given to one of the agents, whose answers were recorded: a reward of 1 for a right one.\n"
    "Of each question the policy is told only how the chosen agent did, and learns from that whom to choose next."
)

QUERIES: tuple[tuple[str, str], ...] = (
    (
        "Who is good at what people asked?",
        "select agent, attempts, round(mean_reward::numeric, 3) as mean_reward, round(reward_low::numeric, 3) as low,\n"
        "       round(reward_high::numeric, 3) as high, p95_duration_us\n"
        "from agent_performance where scope = '{scope}' order by mean_reward desc nulls last limit 5",
    ),
    (
        "How sure was each choice, early and late?",
        "select fifth, round(avg(propensity)::numeric, 3) as mean_propensity, count(*) as choices,\n"
        "       count(*) filter (where explored) as explored\n"
        "from (select *, ntile(5) over (order by chosen_at) as fifth from decisions where scope = '{scope}'\n"
        "      and task_id not in (select task_id from calibration_copies)) as ordered\n"
        "group by fifth order by fifth",
    ),
    (
        "What did one task go through?",
        "select task_id, state, agent, attempts, submitted_at, chosen_at, ended_at\n"
        "from tasks where scope = '{scope}' order by ended_at desc nulls last limit 3",
    ),
)


def table(report: Report) -> Table:
    """Return the table that ends a demo."""
    shown = Table(title="The main job, as its producer saw it", show_header=False, title_justify="left", caption=CAPTION)
    shown.caption_justify = "left"
    shown.add_column("what")
    shown.add_column("figure", justify="right")
    shown.add_column("95 % interval or note", style="dim")
    for what, figure, note in _rows(report):
        shown.add_row(what, figure, note)
    return shown


def _rows(report: Report) -> list[tuple[str, str, str]]:
    kinds = report.intervals
    return [
        ("mean reward over the stream", f"{report.reward_stream:.4f}", _bounds(kinds["reward_stream"])),
        *(
            (f"  fifth {number} of the stream", f"{fifth.value:.4f}", _bounds(fifth))
            for number, fifth in enumerate(report.fifths, 1)
        ),
        ("an agent drawn at random", f"{report.random:.4f}", _bounds(kinds["random"])),
        ("  reward minus random, paired", _signed(kinds["reward_minus_random"]), _bounds(kinds["reward_minus_random"])),
        ("best single agent in hindsight", f"{report.best_single:.4f}", report.best_single_agent),
        (
            "  reward minus best single, paired",
            _signed(kinds["reward_minus_best_single"]),
            _bounds(kinds["reward_minus_best_single"]),
        ),
        ("tasks submitted / completed", f"{report.submitted} / {report.completed}", f"{report.failed} failed"),
        ("calls for calibration", str(report.calibration_calls), "the first questions, given to the other agents, too"),
        ("tasks lost", str(report.lost), "acknowledged, and never ended"),
        ("tasks per second", f"{report.tasks_per_s:.1f}", f"at most {report.in_flight_most} in flight at a time"),
        ("request to choice, p50 / p99", _millis(report.choice_ms_p50, report.choice_ms_p99), "milliseconds"),
        ("request to answer, p50 / p99", _millis(report.answer_ms_p50, report.answer_ms_p99), "milliseconds"),
        (
            "feedback to effect, p50 / p95",
            _millis(report.effect_ms_p50, report.effect_ms_p95),
            f"milliseconds until a choice had learned from it, {report.feedback_seen} seen",
        ),
    ]


def explained(fact: AgentChosen, question: str) -> str:
    """Return one choice in words: who, how probable, why, and who came second."""
    ranked = sorted(fact.candidates, key=lambda one: (-one.score, one.agent))
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else ranked[0]
    chosen = next(one for one in fact.candidates if one.agent == fact.agent)
    parts = ", ".join(f"{name} {part:+.3f}" for name, part in chosen.parts.items())
    why = _why(fact, best, chosen)
    return (
        f"[bold]{_short(question)}[/bold]\n"
        f"  {fact.agent} with probability {fact.propensity:.3f}; {why}.\n"
        f"  score {chosen.score:.3f} = {parts}; runner-up {second.agent} {second.score:.3f}.\n"
        f"  policy {fact.policy.name} v{fact.policy.version}, {_learned(fact.policy.upto)},"
        f" state {fact.policy.digest[:12]}, draw {fact.draw:.6f}."
    )


def print_query(console: Console, title: str, sql: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a query and what it gives now."""
    console.print(f"\n[bold]{title}[/bold]")
    console.print(sql, style="cyan", highlight=False)
    shown = Table(*columns, box=None, header_style="dim")
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(shown)


def _bounds(figure: Figure) -> str:
    return f"{figure.low:+.4f} to {figure.high:+.4f}" if figure.low < 0 else f"{figure.low:.4f} to {figure.high:.4f}"


def _signed(figure: Figure) -> str:
    return f"{figure.value:+.4f}"


def _millis(one: float, other: float) -> str:
    return f"{one:.0f} / {other:.0f}"


def done_here(done: Sequence[Done]) -> Table:
    """Return what the two local agents made of their tasks."""
    shown = Table("task", "agent", "outcome", "output", title="\nWork done here, nothing recorded", title_justify="left")
    for one in done:
        shown.add_row(one.text, one.agent or "", one.outcome, escape(said(one.output)))
    return shown


def _learned(upto: int) -> str:
    return f"learned up to example {upto}" if upto >= 0 else "which has learned nothing yet"


def _why(fact: AgentChosen, best: Candidate, chosen: Candidate) -> str:
    """Return what speaks for the choice, in a few words."""
    if not fact.explored:
        return "it had the best score"
    if chosen.score == best.score:
        return "nobody scored better yet"
    return f"exploring, as {best.agent} scored better ({best.score:.3f})"


def _short(question: str) -> str:
    """Return a question's first words on one line; brackets are no markup."""
    line = " ".join(question.split())
    return escape(line if len(line) <= QUESTION else line[: QUESTION - 3] + "...")
