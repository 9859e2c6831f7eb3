"""What `smolit chaos --json` writes, and whether all is well."""

import statistics
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from smolit.chaos.check.finding import Finding
from smolit.chaos.check.verdict import Verdict
from smolit.chaos.planted import Caught
from smolit.chaos.storm import Slept, Struck


class Report(Struct, frozen=True, kw_only=True):
    """The figures of one run; times in seconds. `recover_s`: from a kill until nothing was left to do, by anybody."""

    kills: int
    lost: int
    effects_repeated: int
    order_inversions: int
    digests_equal: bool
    learner_equal: bool
    plans: int
    plan_flaws: int
    planted: int
    planted_caught: int
    recover_s_p50: float | None
    recover_s_max: float | None
    ok: bool
    seed: int
    commit: str | None
    options: dict[str, int | bool]
    seconds: dict[str, float]
    tasks: int
    kills_by: dict[str, int]
    starts: int
    ends: dict[str, int]
    slept: tuple[Slept, ...]
    findings: tuple[Finding, ...]
    looked_at: dict[str, int]
    bugs: tuple[Caught, ...]
    struck: tuple[Struck, ...]


class Run(Struct, frozen=True, kw_only=True):
    """What a run was asked for, and how it went."""

    seed: int
    commit: str | None
    options: dict[str, int | bool]
    seconds: dict[str, float]
    tasks: int
    starts: int
    ends: dict[str, int]
    struck: Sequence[Struck]
    slept: Sequence[Slept]


def report(run: Run, verdict: Verdict, bugs: Sequence[Caught]) -> Report:
    """Return the figures; all is well when nothing was found, everything asked for was done, and every bug was caught."""
    times = [blow.recover_s for blow in run.struck if blow.recover_s is not None]
    caught = sum(bug.kills is not None for bug in bugs)
    done = len(run.struck) == run.options["kills"] and len(times) == len(run.struck)
    return Report(
        kills=len(run.struck),
        lost=verdict.lost,
        effects_repeated=verdict.count("C5"),
        order_inversions=verdict.count("C4"),
        digests_equal=verdict.count("C7") == 0,
        learner_equal=verdict.learner_equal,
        plans=verdict.looked_at.get("plans", 0),
        plan_flaws=verdict.count("plans"),
        planted=len(bugs),
        planted_caught=caught,
        recover_s_p50=round(statistics.median(times), 2) if times else None,
        recover_s_max=round(max(times), 2) if times else None,
        ok=done and not verdict.findings and caught == len(bugs),
        seed=run.seed,
        commit=run.commit,
        options=run.options,
        seconds={phase: round(seconds, 1) for phase, seconds in run.seconds.items()},
        tasks=run.tasks,
        kills_by=dict(sorted(Counter(f"{blow.who} {blow.point or 'at any moment'}" for blow in run.struck).items())),
        starts=run.starts,
        ends=run.ends,
        slept=tuple(run.slept),
        findings=verdict.findings,
        looked_at=verdict.looked_at,
        bugs=tuple(bugs),
        struck=tuple(run.struck),
    )


def summary(told: Report) -> str:
    """Return the run in one line."""
    return (
        f"{'ok' if told.ok else 'FAILED'}: {told.kills} kills, seed {told.seed}, {told.tasks} tasks; lost {told.lost}, "
        f"effects repeated {told.effects_repeated}, order inversions {told.order_inversions}, "
        f"{told.plans} plans with {told.plan_flaws} flaws, "
        f"digests {_equal(told.digests_equal)}, learner {_equal(told.learner_equal)}, "
        f"{told.planted_caught} of {told.planted} planted bugs caught; lag 0 after {told.recover_s_p50} s "
        f"(median), {told.recover_s_max} s at most"
    )


def complaints(told: Report) -> list[str]:
    """Return everything that is not well, a line each."""
    found = [f"{one.check}: {one.what} ({one.count}): {'; '.join(one.cases)}" for one in told.findings]
    missed = [f"planted bug not caught: {bug.bug} ({bug.says})" for bug in told.bugs if bug.kills is None]
    short = [] if told.kills == told.options["kills"] else [f"only {told.kills} of {told.options['kills']} kills were dealt"]
    return [*found, *missed, *short]


def _equal(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
