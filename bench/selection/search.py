"""`smolit bench search`: settings looked for on one half of a recorded set, judged on the other, where every score is known."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from bench.architecture import OnTrained
from bench.make_sample import SAMPLE_SET
from bench.selection.asking import asked, require_file, write
from bench.selection.command import SAMPLE, Agents, Data, Features, Set, named, opened_with
from bench.selection.course import Course, replay
from bench.selection.learner import Entry
from bench.selection.routing import Routing, held_out, open_set
from events.model import Arm
from events.search import Budget
from learning.statistics import Interval, paired_difference
from smolit.cli import out
from smolit.cli.replay import candidate
from smolit.cli.search import PolicyName, Seconds, Seed, Space, Trials, Workers
from smolit.errors import NothingFound, UsageInvalid
from smolit.retrain.child import require_library as require_trainer
from smolit.search import architecture
from smolit.search.course import ARMS, in_threads, run_arm
from smolit.search.crew import Crew
from smolit.search.judge import BEST, DEFAULT, RANDOM, Judgement, told
from smolit.search.session import require_library
from smolit.search.space import default_in, holds, space_of
from smolit.search.trial import STEPS, Scored, Trial, best_of, is_behind

HELD_OUT = 0.5  # share of the texts that no trial sees
_FIRST_FRESH = 10_000  # orders from here on are for the end

Orders = Annotated[int, typer.Option("--orders", min=1, max=1000, help="Orders of the texts that each trial is scored on.")]
Fresh = Annotated[
    int, typer.Option("--judge-orders", min=2, max=1000, help="Orders of the other texts that settings are judged on.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every trial and figure as JSON.")]


@dataclass(frozen=True)
class OnRecorded:
    """Scores settings of a policy by what they earn on recorded outcomes, in several orders; may be sent to another process."""

    course: Course
    policy: str
    orders: tuple[int, ...]

    def __call__(self, parameters: Mapping[str, Any], wanted: Sequence[float]) -> Scored:
        """Score a setting; raises LearningError where the policy does not take it."""
        began, earned, steps = time.perf_counter(), list[float](), list[float]()
        ends = {max(1, len(self.orders) * step // STEPS) for step in range(1, STEPS + 1)}
        for order in self.orders:
            earned.append(self.earned(parameters, order))
            if len(earned) in ends:
                steps.append(float(np.mean(earned)))
                if len(earned) < len(self.orders) and is_behind(steps, wanted):
                    reason = "behind the median of the trials before"
                    return Scored("pruned", None, tuple(steps), reason, time.perf_counter() - began)
        return Scored("completed", steps[-1], tuple(steps), "", time.perf_counter() - began)

    def earned(self, parameters: Mapping[str, Any], order: int) -> float:
        """Return the mean reward of one order."""
        return float(replay(self.course, Entry(self.policy, self.policy, dict(parameters)), order).rewards.mean())


class Report(msgspec.Struct, frozen=True):
    """What was looked for on what, all trials, and what came of the best ones."""

    about: dict[str, Any]
    trials: list[Trial]
    best: Trial
    best_random: Trial | None
    judgement: Judgement


@asked
def search(
    policy: PolicyName = None,
    space: Space = None,
    trials: Trials = 30,
    seconds: Seconds = 600.0,
    workers: Workers = 2,
    seed: Seed = 0,
    orders: Orders = 5,
    judge_orders: Fresh = 40,
    data: Data = SAMPLE,
    name: Set = SAMPLE_SET,
    agents: Agents = "",
    features: Features = "live",
    json: Json = None,
) -> None:
    """Look for better settings on one half of a recorded set, beside as many drawn at random, and judge both on the other."""
    if policy is None:
        raise UsageInvalid("say whose settings: --policy POLICY")
    require_file(json)
    if policy == architecture.POLICY:
        require_trainer()
    else:
        candidate(policy, "{}")
    require_library()
    settings, budget = space_of(policy, space), Budget(trials=trials, seconds=seconds, workers=workers)
    stream, vectors = open_set(data, name, named(agents), opened_with(features))
    about = {"set": name, "agents": stream.agents, "vectors": vectors, "policy": policy, "space": settings, "seed": seed}
    about |= {"width": stream.contexts.shape[1], "budget": budget, "orders": orders, "judge_orders": judge_orders}
    report = looked_for(stream, about)
    write(json, report)
    _show(report)


def looked_for(stream: Routing, about: dict[str, Any]) -> Report:
    """Search on the texts of one half and judge on those of the other; raises NothingFound if no trial was completed."""
    policy, (seen, unseen) = about["policy"], held_out(stream, HELD_OUT)
    scorer = _scorer(seen, policy, tuple(range(about["orders"])))
    found = asyncio.run(_arms(scorer, policy, about["space"], about["seed"], about["budget"]))
    best, random = (best_of(found[arm]) for arm in ARMS)
    if best is None:
        raise NothingFound(f"no trial was completed: {found['guided'][0].scored.reason}")
    fresh = tuple(range(_FIRST_FRESH, _FIRST_FRESH + about["judge_orders"]))
    judgement = judge(_scorer(unseen, policy, fresh), best.parameters, random.parameters if random else None)
    about = {**about, "texts": len(seen.keys), "texts_to_judge_on": len(unseen.keys)}
    return Report(about, [trial for arm in ARMS for trial in found[arm]], best, random, judgement)


def _scorer(part: Routing, policy: str, orders: tuple[int, ...]) -> OnRecorded | OnTrained:
    """Return what scores settings of a policy, or shapes of networks."""
    if policy == architecture.POLICY:
        return OnTrained(_course(part).stream, orders)
    return OnRecorded(_course(part), policy, orders)


def judge(scorer: OnRecorded | OnTrained, best: Mapping[str, Any], random: Mapping[str, Any] | None) -> Judgement:
    """Compare settings order by order; {} is the default. Intervals are those of orders, not of other texts."""
    asked = {DEFAULT: {}, BEST: best, **({RANDOM: random} if random is not None else {})}
    earned = {label: [scorer.earned(setting, order) for order in scorer.orders] for label, setting in asked.items()}
    figures: dict[str, Interval] = {label: paired_difference(each, [0.0] * len(each)) for label, each in earned.items()}
    differences = {other: paired_difference(earned[BEST], earned[other]) for other in (DEFAULT, RANDOM) if other in earned}
    return told(figures, differences, {}, len(scorer.orders), "orders of texts")


async def _arms(scorer: OnRecorded | OnTrained, policy: str, space: Any, seed: int, budget: Budget) -> dict[Arm, list[Trial]]:
    from smolit.search.study import Study, open_storage  # Optuna takes a second to import: only a search needs it

    default = default_in(policy, space)
    first = default if all(holds(one, default[one.name]) for one in space) else None
    found: dict[Arm, list[Trial]] = {}

    async def written(trial: Trial) -> None:
        came = f"{trial.scored.score:.4f}" if trial.scored.score is not None else f"{trial.scored.state}: {trial.scored.reason}"
        out.say(f"{trial.arm} trial {trial.number + 1} of {budget.trials}: {came} in {trial.scored.seconds:.1f} s")

    with open_storage(None) as storage, Crew(scorer, budget.workers) as crew:
        for arm in ARMS:
            study = Study(storage, "bench", arm, space, seed, first)
            found[arm] = await run_arm(arm, budget, study, in_threads(crew), [], written)
    return found


def _course(part: Routing) -> Course:
    """Return a course over a part of the set with nothing to test on: what is judged is a stream of its own."""
    if len(part.keys) < 2:
        raise UsageInvalid(f"the set leaves {len(part.keys)} texts to learn on")
    return Course(part, part.rows(np.array([], dtype=np.intp)))


def _show(report: Report) -> None:
    about = report.about
    halves = f"{about['texts']} texts to search on in {about['orders']} orders"
    others = f"{about['texts_to_judge_on']} others to judge on in {about['judge_orders']}"
    out.line(f"{about['set']}: {halves}, {others}, {len(about['agents'])} agents, vectors {about['vectors']}")
    names = [one.name for one in about["space"]]
    bests = [("best", report.best), *([("best random", report.best_random)] if report.best_random else [])]
    rows = [(label, one.number, *(one.parameters.get(name) for name in names), one.scored.score) for label, one in bests]
    out.table(("setting", "trial", *names, "score"), rows)
    if about["policy"] == architecture.POLICY:
        _show_costs(about, dict(bests))
    out.line(report.judgement.verdict)


def _show_costs(about: dict[str, Any], bests: dict[str, Trial]) -> None:
    """Say what the best shapes cost beside the starting net."""
    shapes = {"starting net": {}, **{label: one.parameters for label, one in bests.items()}}
    for label, shape in shapes.items():
        numbers, operations = architecture.cost(shape, about["width"], len(about["agents"]))
        out.line(f"{label}: {numbers:,} numbers, {operations:,} operations a text")
