"""`smolit policy`: what chooses, why it chose so, and whether that is true."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from events.request import SetPolicy
from events.task import RewardTerms
from events.topics import DEFAULT_TENANT, LEARNING
from projections.attempt import AttemptRow, attempts_of
from projections.decision import DecisionRow, decisions_of
from projections.event_log import EventRow, story
from projections.policy import PolicyChange, policy_history
from projections.similar import Like, Wanted, like, vector_of_task
from smolit.cli import out
from smolit.cli.desk import Desk, ask_for, open_desk, read
from smolit.cli.explain import explained, how_like_tasks_went, how_rewarded
from smolit.cli.explain_model import choices_in, models_explained
from smolit.cli.foretold import NEURAL, Time, how_long, times_of
from smolit.cli.log import log_of, whole_log
from smolit.cli.option import DryRun, Json, Limit, Parameters, Scope, TaskIdArgument, Tenant, settings_of
from smolit.cli.weighed import how_weighed, signals_in, who_is_proven
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from smolit.folder import choice_secret
from store.postgres import Connection

Name = Annotated[str | None, typer.Argument(metavar="[POLICY]", help="Policy to put in force.")]
GiveBack = Annotated[bool, typer.Option("--give-back", help="Let the default, or an experiment, choose again.")]
LevelsFrom = Annotated[
    str | None, typer.Option("--levels-from", metavar="SCOPE", help="Start from what the agents are worth in another scope.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept for whoever reads the history.")]
Number = Annotated[int | None, typer.Option("--attempt", min=1, help="Only this attempt; else every one.")]
Report = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; `-` is standard output.")]


def show(scope: Scope = "default", limit: Limit = 10, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show which policy serves a scope, and what happened to it before."""
    desk = open_desk()
    history = read(desk, lambda connection: policy_history(connection, tenant, scope=scope, limit=limit))
    force = asyncio.run(_in_force(desk, tenant, scope))
    if as_json:
        out.json({"in_force": force, "history": history})
        return
    out.facts(force)
    if history:
        out.table(("when", "what", "policy", "by", "reason", "examples"), [_change(one) for one in history])
    else:
        out.line("Nobody set a policy here before, and no state of one is stored yet.")


def put(
    name: Name = None,
    give_back: GiveBack = False,
    scope: Scope = "default",
    parameters: Parameters = "{}",
    levels_from: LevelsFrom = None,
    reason: Why = "set on the command line",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Put a policy in force for a scope at once, above any experiment, or give the choice back."""
    if (name is None) != give_back:
        raise UsageInvalid("say either which policy, or --give-back")
    settings = settings_of(parameters)
    if levels_from is not None:
        known = asyncio.run(_known_in(open_desk(), name, tenant, levels_from))
        settings = {**known.parameters, **settings}
        reason = f"{reason}; starts from the levels of scope {levels_from} after {known.examples} examples"
    request = SetPolicy(scope=scope, policy=name, parameters=settings, reason=reason)
    ask_for(
        tenant, request, dry_run, f"{name} chooses in scope {scope} now" if name else f"scope {scope} chooses as before again"
    )


def explain(task_id: TaskIdArgument, attempt: Number = None, as_json: Json = False) -> None:
    """Say why a task got the agent it got, who came second, and what the policy knew."""
    desk = open_desk()
    known = read(desk, lambda connection: _known(connection, task_id, attempt))
    if not known.choices:
        which = f"task {task_id!r}" if attempt is None else f"attempt {attempt} of task {task_id!r}"
        raise NothingFound(f"no choice for {which} is known (yet)")
    times = _times(desk, known)
    if as_json:
        more = {"reward": known.terms, "like_tasks": known.alike}
        models = {one.attempt: choices_in(one) for one in known.tried}
        own = [
            {
                "weights": known.weights.get(one.attempt),
                "models": models.get(one.attempt, []),
                "time": times.get(one.attempt),
            }
            for one in known.choices
        ]
        out.json([{**msgspec.structs.asdict(one), **said, **more} for one, said in zip(known.choices, own, strict=True)])
        return
    for one in known.choices:
        _explain(one, known.weights.get(one.attempt))
        if (sentence := how_long(one.agent, times.get(one.attempt))) is not None:
            out.line(sentence)
    for told in models_explained(known.tried):
        out.line(told)
    for sentence in (how_rewarded(known.terms), *how_like_tasks_went(known.alike), who_is_proven(known.alike)):
        if sentence is not None:
            out.line(sentence)


def verify(report: Report = None) -> None:
    """Make every recorded choice and reward again from their facts and the refolded log, and compare to the bit."""
    found = asyncio.run(_verify(open_desk()))
    if report == Path("-"):
        out.json(found)
    elif report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if found.mismatches and report != Path("-"):
        rows = [msgspec.structs.astuple(one) for one in found.mismatches[:20]]
        out.table(("task", "attempt", "what", "recorded", "recomputed"), rows)
    if not found.equal:
        wrong = f"{len(found.mismatches)} figure(s) of {found.choices} recorded choices and {found.examples} examples"
        raise CheckFailed(f"{wrong} come out otherwise")
    out.say(f"{found.choices} recorded choices and the rewards of {found.examples} examples were made again: all the same")


async def _known_in(desk: Desk, policy: str | None, tenant: str, scope: str) -> Any:
    """Return what a scope's log says of its agents, for a policy that can start from it."""
    from learning.encoders import context_map  # as above
    from learning.policies.joint_thompson import JointThompson
    from smolit.audit.choices import sort_log
    from smolit.levels import known_of

    if policy != JointThompson.name:
        raise UsageInvalid(f"only {JointThompson.name} starts from levels of another scope")
    return known_of(sort_log(await log_of(desk, (LEARNING,))), tenant, scope, context_map(desk.settings.encoder))


class Known(NamedTuple):
    """What is known of a task: its choices, their weights by attempt, how rewards are made, like tasks, attempts, all events."""

    choices: list[DecisionRow]
    weights: dict[int, dict[str, float] | None]
    terms: RewardTerms | None
    alike: list[Like]
    tried: list[AttemptRow]
    told: Sequence[EventRow]


async def _known(connection: Connection, task_id: str, attempt: int | None) -> Known:
    """Return what is known of a task's choices; what no read model has of them stands in their facts."""
    choices = [one for one in await decisions_of(connection, task_id) if attempt in (None, one.attempt)]
    told = await story(connection, task_id)
    weights = {one.payload["attempt"]: one.payload.get("weights") for one in told if one.type == "agent.chosen"}
    alike = await _alike(connection, choices[0]) if choices else []
    tried = [one for one in await attempts_of(connection, task_id) if attempt in (None, one.attempt)]
    return Known(choices, weights, _terms(told), alike, tried, told)


def _times(desk: Desk, known: Known) -> dict[int, Time]:
    """Return what networks foretold of the times of attempts; nothing is opened where none chose."""
    if not any(one.policy == NEURAL for one in known.choices):
        return {}
    from learning.encoders import context_maps  # as below: only where a network chose
    from smolit.model.registry import shelf

    return times_of(known.choices, known.told, shelf(desk), context_maps)


async def _alike(connection: Connection, choice: DecisionRow) -> list[Like]:
    """Return the past tasks of its scope that are most like a choice's task."""
    vector = await vector_of_task(connection, choice.tenant, choice.task_id)
    wanted = Wanted(tenant=choice.tenant, scope=choice.scope, but=choice.task_id)
    return [] if vector is None else await like(connection, vector, wanted)


def _terms(told: Sequence[EventRow]) -> RewardTerms | None:
    """Return how the task's rewards are made, from its admission: every choice has the same."""
    admitted = next((one.payload for one in told if one.type == "task.admitted"), None)
    return msgspec.convert(admitted["context"].get("reward"), RewardTerms | None) if admitted else None


def _change(one: PolicyChange) -> Sequence[object]:
    what = "put in force" if one.change == "set" else "state stored"
    return one.happened_at, what, one.policy or "(given back)", one.set_by, one.reason, one.sequence


def _explain(one: DecisionRow, weights: Mapping[str, float] | None) -> None:
    """Write one choice for people."""
    for line in (*explained(one), *how_weighed(one.agent, one.candidates, weights)):
        out.line(line)
    named = {part for candidate in one.candidates for part in candidate["parts"]}
    parts = ["pooled", *signals_in(weights)] if weights else sorted(named)
    ranked = sorted(one.candidates, key=lambda candidate: -float(candidate["probability"]))
    rows = [(c["agent"], c["probability"], c["score"], *(c["parts"].get(part) for part in parts)) for c in ranked]
    out.table(("candidate", "probability", "score", *(f"from {part}" for part in parts)), rows)


async def _in_force(desk: Desk, tenant: str, scope: str) -> dict[str, Any]:
    """Return what chooses in a scope, from the control topics themselves."""
    from smolit.process.library import default_policy, settings_in  # numpy and the encoder: only this and `verify` need them
    from streams.control import ControlReader

    reader = ControlReader(desk.endpoints.kafka, "smolit-cli-control", desk.names)
    await reader.start()
    control = reader.control
    await reader.stop()
    by_hand, running = control.policies.get((tenant, scope)), control.assigning_in(tenant, scope)
    if by_hand is not None:
        who = "a person" if by_hand.model is None else f"version {by_hand.model}"
        return {"scope": scope, "decided by": who, "policy": by_hand.policy, "parameters": by_hand.parameters}
    if running is not None:
        variants = {variant.name: variant.policy for variant in running.variants}
        return {"scope": scope, "decided by": f"experiment {running.experiment_id}", "variants": variants}
    standing = default_policy()
    return {"scope": scope, "decided by": "default", "policy": standing.name, "parameters": settings_in(standing)}


async def _verify(desk: Desk) -> Any:
    """Read both topics whole and verify."""
    from learning.encoders import context_maps  # as above
    from smolit.audit.choices import sort_log
    from smolit.audit.choices import verify as verify_log
    from smolit.audit.rewards import wrong_rewards
    from smolit.model.registry import shelf

    secret = choice_secret(desk.settings).get_secret_value().encode()
    records = await whole_log(desk)
    found, wrong = verify_log(sort_log(records, networks=shelf(desk)), context_maps(), secret), wrong_rewards(records)
    return msgspec.structs.replace(found, equal=found.equal and not wrong, mismatches=(*found.mismatches, *wrong))
