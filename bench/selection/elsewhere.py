"""`smolit bench levels`: what a scope gains that starts from what its agents are worth in another one.

In each order half of the domains, drawn anew, are the other scope: the default policy serves all of their texts. Then the
texts of the other half are served three times over, in one order: by a policy that knows nothing, by one that starts from the
levels (as `smolit policy set --levels-from` makes it), and by the one that served there, as if both were one scope.
"""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import typer

from bench.make_sample import SAMPLE_SET
from bench.selection.asking import asked, require_file, write
from bench.selection.command import SAMPLE, Agents, Data, Features, Json, Set, named, opened_with
from bench.selection.course import Order, walk
from bench.selection.report import START, Spread
from bench.selection.routing import Routing, RoutingInvalid, open_set
from bench.selection.world import World
from learning.levels import SPREAD, Levels
from learning.policies import DEFAULT, create
from learning.policies.joint_thompson import JointThompson
from learning.policy import Policy
from smolit.cli import out

NOTHING, LEVELS, ONE_SCOPE = "from nothing", "levels of the other scope", "both are one scope"

Seeds = Annotated[int, typer.Option("--seeds", min=2, max=1000, help="Orders, each with domains and names of its own.")]
First = Annotated[int, typer.Option("--first", min=0, help="Seed of the first order.")]
There = Annotated[int, typer.Option("--there", min=0, help="Texts of the other scope; 0: all there are.")]
Here = Annotated[int, typer.Option("--here", min=0, help="Texts of the scope that is judged; 0: all there are.")]


class Earned(NamedTuple):
    """Mean reward of a stream and of its first tasks, each less what the best single agent earns on the whole stream."""

    stream: float
    first: float


class Row(msgspec.Struct, frozen=True):
    """One way to start: against the best single agent, and against starting from nothing on the same orders."""

    stream: Spread
    first: Spread
    worst: float
    over_nothing: Spread
    first_over_nothing: Spread


class Report(msgspec.Struct, frozen=True):
    """What was replayed, and how each way to start went."""

    about: dict[str, Any]
    rows: dict[str, Row]


@asked
def levels(
    data: Data = SAMPLE,
    name: Set = SAMPLE_SET,
    agents: Agents = "",
    there: There = 0,
    here: Here = 0,
    seeds: Seeds = 20,
    first: First = 0,
    features: Features = "live",
    json: Json = None,
) -> None:
    """Compare ways for a scope to start whose agents worked in another scope before, on tasks of other domains."""
    require_file(json)
    routing, vectors = open_set(data, name, named(agents), opened_with(features))
    found = []
    with out.progress(seeds) as shown:
        ticking = shown.add_task("replaying", total=seeds)
        for seed in range(first, first + seeds):
            found.append(starts(routing, seed, there, here))
            shown.advance(ticking)
    about = {
        "set": name,
        "agents": routing.agents,
        "seeds": seeds,
        "first": first,
        "there": there,
        "here": here,
        "vectors": vectors,
    }
    report = Report(about, {way: _row([one[way] for one in found], [one[NOTHING] for one in found]) for way in found[0]})
    write(json, report)
    told = f"{name}: {len(routing.agents)} agents, {seeds} orders from seed {first}, vectors {vectors}"
    out.line(f"{told}; differences in thousandths, +- half a 95 % interval")
    out.table(
        ("start", "- best single", "first 500", "worst order", "- from nothing", "first 500 - from nothing"), _lines(report)
    )


def starts(routing: Routing, seed: int, there: int = 0, here: int = 0) -> dict[str, Earned]:
    """Return what each way to start earns in one order; so many texts of each half at most (0: all).

    Raises:
        RoutingInvalid: the set has a single domain, which cannot be parted.
    """
    other, mine = parted(routing, seed, there, here)
    order = Order.of(seed, len(mine.keys), len(mine.agents))
    elsewhere = JointThompson(routing.contexts.shape[1])
    _serve(
        elsewhere,
        other,
        Order(np.arange(len(other.keys)), order.columns, np.random.default_rng(seed + 1).random(len(other.keys))),
    )
    settings: dict[str, float | str] = {"level": SPREAD, "levels": Levels.rounded(elsewhere.levels).told}
    width = routing.contexts.shape[1]
    ways: dict[str, Policy] = {NOTHING: create(DEFAULT, width), LEVELS: create(DEFAULT, width, settings), ONE_SCOPE: elsewhere}
    return {way: _serve(policy, mine.rows(order.rows), order) for way, policy in ways.items()}


def parted(routing: Routing, seed: int, there: int, here: int) -> tuple[Routing, Routing]:
    """Return the texts of half of the domains, shuffled, and those of the others."""
    bits, domains = np.random.default_rng(seed), sorted(set(routing.domains))
    if len(domains) < 2:
        raise RoutingInvalid("a set of one domain cannot be parted into two scopes")
    drawn = {domains[at] for at in bits.permutation(len(domains))[: len(domains) // 2]}
    rows = bits.permutation(len(routing.keys))
    away = np.array([routing.domains[row] in drawn for row in rows])
    return routing.rows(rows[away][: there or None]), routing.rows(rows[~away][: here or None])


def _serve(policy: Policy, stream: Routing, order: Order) -> Earned:
    """Let a policy serve a stream, which is in its order, and learn from it."""
    world = World(stream.scores, order.columns)
    picks = [step.column for step in walk(policy, world, stream, order)]
    rewards, best = stream.scores[np.arange(len(picks)), picks], float(stream.scores.mean(axis=0).max())
    return Earned(float(rewards.mean()) - best, float(rewards[:START].mean()) - best)


def _row(found: list[Earned], nothing: list[Earned]) -> Row:
    streams, firsts = [one.stream for one in found], [one.first for one in found]
    return Row(
        stream=Spread.of(streams),
        first=Spread.of(firsts),
        worst=min(streams),
        over_nothing=Spread.of(streams, [one.stream for one in nothing]),
        first_over_nothing=Spread.of(firsts, [one.first for one in nothing]),
    )


def _lines(report: Report) -> Iterator[tuple[str, ...]]:
    for way, row in report.rows.items():
        spreads = (row.stream, row.first, row.over_nothing, row.first_over_nothing)
        stream, first, over, first_over = (f"{1000 * one.mean:+.1f} +-{1000 * one.half:.1f}" for one in spreads)
        yield way, stream, first, f"{1000 * row.worst:+.1f}", over, first_over
