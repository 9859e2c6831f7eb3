"""`smolit bench signals`: what each signal of `three_signals` is worth, what its memory saves, how soon a failing agent falls."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import typer

from bench.make_sample import SAMPLE_SET
from bench.selection.ablation import MINUS, Ablated, Fallen, Saved, ablated, fallen, saved
from bench.selection.asking import asked, require_file, write
from bench.selection.command import SAMPLE, Agents, Data, HoldOut, Jobs, Json, Set, named
from bench.selection.course import Course
from bench.selection.recurring import TEXTS, VISITS, changed, same
from bench.selection.report import Spread
from bench.selection.routing import encoded, held_out
from learning.encoders import open_encoder
from learning.outcomes import Outcomes
from learning.signals import NAMES
from smolit.cli import out
from smolit.errors import UsageInvalid
from smolit.settings import load_settings

PARTS = ("signals", "memory", "rank")
Seeds = Annotated[int, typer.Option(min=2, max=1000, help="Orders of the stream, each with names of its own for the agents.")]
First = Annotated[int, typer.Option("--first", min=0, help="Seed of the first order.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="PART", help=f"Measure this part alone: {', '.join(PARTS)}.")]
Encoder = Annotated[
    Literal["live", "static", "minilm", "hashed"],
    typer.Option("--features", help="Encoder of texts and descriptions: the one that serves (live), or another."),
]


class Report(msgspec.Struct, frozen=True):
    """All that was measured; parts that were not asked for are empty."""

    about: dict[str, Any]
    signals: dict[str, Ablated]
    memory: dict[str, Saved]
    rank: dict[str, Fallen]


@asked
def signals(
    data: Data = SAMPLE,
    name: Set = SAMPLE_SET,
    agents: Agents = "",
    hold_out: HoldOut = 0.3,
    seeds: Seeds = 20,
    first: First = 0,
    only: Only = None,
    features: Encoder = "live",
    jobs: Jobs = 1,
    json: Json = None,
) -> None:
    """Compare the signals that choices are made of: weights learned and fixed, each alone, each off; what memory saves; rank."""
    if unknown := sorted(set(only or ()) - set(PARTS)):
        raise UsageInvalid(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    require_file(json)
    settings, wanted, orders = load_settings(), only or PARTS, range(first, first + seeds)
    encoder = open_encoder(settings.encoder if features == "live" else features, settings.cache / "encoder")
    outcomes = Outcomes.load(data, name)
    course = Course(*held_out(encoded(outcomes, name, named(agents), encoder), hold_out))
    chosen = course.stream.agents
    recurring = {"the same text": same(course.stream), "changed texts": changed(outcomes, name, chosen, encoder)}
    about = {"set": name, "tasks": len(course.stream.keys), "test_tasks": len(course.test.keys), "agents": chosen}
    found = Report(
        about={**about, "seeds": seeds, "first": first, "vectors": encoder.name},
        signals=ablated(course, orders, jobs) if "signals" in wanted else {},
        memory={label: saved(one, orders, jobs) for label, one in recurring.items()} if "memory" in wanted else {},
        rank=fallen(course, orders, jobs) if "rank" in wanted else {},
    )
    write(json, found)
    _show(found)


def _show(found: Report) -> None:
    """Write the tables that were asked for."""
    about = found.about
    out.line(
        f"{about['set']}: {about['tasks']} tasks and {about['test_tasks']} to test on, {len(about['agents'])} agents, "
        f"{about['seeds']} orders from seed {about['first']}, vectors {about['vectors']}; differences in thousandths against "
        "learned weights, +- half a 95 % interval"
    )
    if found.signals:
        out.table(("variant", "stream", "difference", "test", "difference", *(f"w {name}" for name in NAMES)), _ablated(found))
    if found.memory:
        out.line(
            f"{TEXTS} texts that come {VISITS} times each: visits until an agent that proved itself has the text again, failed"
        )
        out.table(("texts", "learner", "until proven", "failed", "reward"), _saved(found))
    if found.rank:
        out.line("the best agent fails in the middle fifth of the stream: tasks until it loses its rank, and has it back")
        out.table(
            ("learner", "orders", "lost", "tasks: .1 .5 .9", "had it back", "tasks: .1 .5 .9", "tries: .1 .5 .9"), _rank(found)
        )


def _ablated(found: Report) -> Iterator[tuple[str, ...]]:
    for label, one in found.signals.items():
        row, weights = one.row, [f"{one.weights[name]:.2f}" if name in one.weights else "" for name in NAMES]
        stream, test = f"{row.stream.mean:.4f}", f"{row.test.mean:.4f}"
        yield label, stream, _told(row.over_default, 1000), test, _told(row.test_over_default, 1000), *weights


def _saved(found: Report) -> Iterator[tuple[str, ...]]:
    for texts, one in found.memory.items():
        for learner in one.failed:
            reward = _told(one.reward[learner], 1000) if learner.startswith(MINUS) else f"{one.reward[learner].mean:.4f}"
            yield texts, learner, _plain(one.until_proven[learner]), _plain(one.failed[learner]), reward


def _rank(found: Report) -> Iterator[tuple[str, ...]]:
    for label, one in found.rank.items():
        spans = (" ".join(f"{value:.0f}" for value in span) for span in (one.tasks, one.tasks_back, one.tries_back))
        lost, back, tries = spans
        yield label, str(one.orders), str(one.lost), lost, str(one.regained), back, tries


def _told(spread: Spread, scale: int) -> str:
    return f"{scale * spread.mean:+.1f} +-{scale * spread.half:.1f}"


def _plain(spread: Spread) -> str:
    return f"{spread.mean:.3f} +-{spread.half:.3f}"
