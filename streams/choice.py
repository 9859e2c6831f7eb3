"""Choose an agent for one attempt. Pure: agents, policies, liveness and the draw come in as arguments."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from events.control import Control
from events.experiment import Variant
from events.task import AgentChosen, AttemptEnded, Candidate, ChoiceContext, Features, PolicyRef, TaskAdmitted, TaskEnded
from learning.book import Page, PolicyKey
from learning.match import Match, match
from learning.policy import Context, Decision, choose

DecidedBy = Literal["default", "experiment", "policy_set"]
_WHY_CHARS = 300  # of what the last agent failed with: the whole of it stands in its attempt's end


class Wanted(Struct, frozen=True):
    """One attempt that needs an agent; `failed_with` is what the attempt before it failed with."""

    tenant: str
    task_id: str
    attempt: int
    context: ChoiceContext
    failed_with: str | None = None


class Served(Struct, frozen=True):
    """The policy that is to choose, and what put it in that place; `model` is the version that was promoted, if one was."""

    key: PolicyKey
    decided_by: DecidedBy
    model: str | None = None


def wanted_first(admitted: TaskAdmitted) -> Wanted:
    """Return the first attempt at a task."""
    return Wanted(admitted.tenant, admitted.task_id, 1, admitted.context)


def wanted_next(ended: AttemptEnded) -> Wanted | None:
    """Return the attempt that an end calls for: another one after a failure, if the task has one left."""
    if ended.context is None:
        return None
    return Wanted(ended.tenant, ended.task_id, ended.attempt + 1, ended.context, ended.error)


def served(wanted: Wanted, control: Control, default: PolicyKey) -> Served:
    """Return the policy in force: one set by hand or promoted, else the task's variant, else the default."""
    if in_force := control.policies.get((wanted.tenant, wanted.context.scope)):
        return Served(PolicyKey.of(in_force.policy, in_force.parameters), "policy_set", in_force.model)
    if (variant := variant_of(wanted, control)) is not None:
        return Served(PolicyKey.of(variant.policy, variant.parameters), "experiment")
    return Served(default, "default")


def policies_in_force(control: Control) -> Iterator[tuple[str, str, PolicyKey]]:
    """Yield tenant, scope and key of each policy that was set by hand or is on trial: all that serve besides the default."""
    for (tenant, scope), in_force in sorted(control.policies.items()):
        yield tenant, scope, PolicyKey.of(in_force.policy, in_force.parameters)
    for (tenant, _), run in sorted(control.experiments.items()):
        for variant in run.started.variants if run.assigning else ():
            yield tenant, run.started.scope, PolicyKey.of(variant.policy, variant.parameters)


def variant_of(wanted: Wanted, control: Control) -> Variant | None:
    """Return the variant that the task was put into; a concluded experiment still serves its tasks."""
    assignment = wanted.context.assignment
    if assignment is None:
        return None
    run = control.experiments.get((wanted.tenant, assignment.experiment))
    return next((one for one in run.started.variants if one.name == assignment.variant), None) if run else None


def choose_agent(
    wanted: Wanted,
    control: Control,
    serving: Served,
    page: Page,
    *,
    to_context: Callable[[Features], Context],
    context_map: str,
    is_live: Callable[[str], bool],
    draw: float,
) -> AgentChosen | TaskEnded:
    """Return the choice with its exact propensity, or the task's end if nobody can do it."""
    found = match(control.agents_of(wanted.tenant), wanted.context, is_live)
    if not found.candidates:
        return _nobody(wanted, found)
    decision = page.policy.decide(to_context(wanted.context.features), found.candidates)
    chosen = choose(decision, draw)
    return AgentChosen(
        tenant=wanted.tenant,
        task_id=wanted.task_id,
        attempt=wanted.attempt,
        context=wanted.context,
        context_map=context_map,
        candidates=_candidates(decision),
        left_out=found.left_out,
        agent=chosen.agent,
        propensity=chosen.propensity,
        draw=draw,
        explored=chosen.explored,
        policy=_reference(page, serving.model),
        decided_by=serving.decided_by,
    )


def _candidates(decision: Decision) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(scored.agent, scored.score, dict(scored.parts), probability)
        for scored, probability in zip(decision.candidates, decision.probabilities, strict=True)
    )


def _reference(page: Page, model: str | None) -> PolicyRef:
    settings: Mapping[str, float | str] = page.policy.settings
    return PolicyRef(page.policy.name, page.policy.version, dict(settings), page.digest, page.upto, model)


def _nobody(wanted: Wanted, found: Match) -> TaskEnded:
    """Return the end of a task that nobody can do, with how near each agent came."""
    tried = wanted.context.tried
    return TaskEnded(
        tenant=wanted.tenant,
        task_id=wanted.task_id,
        scope=wanted.context.scope,
        outcome="failed",
        attempts=wanted.attempt - 1,
        reason="no_other_agent" if tried else "no_fitting_agent",
        detail=_nobody_left(wanted) if tried else _nobody_fits(wanted.context.kind),
        left_out=found.left_out,
    )


def _nobody_left(wanted: Wanted) -> str:
    """Say who was tried, and what the last of them failed with."""
    told = f"nobody is left after {', '.join(wanted.context.tried)} failed"
    return f"{told}; the last with {_shortened(wanted.failed_with)}" if wanted.failed_with else told


def _nobody_fits(kind: str | None) -> str:
    """Say what nobody fits."""
    return "no agent fits the text" if not kind else f"no agent fits a task of kind {kind!r}"


def _shortened(why: str) -> str:
    return why if len(why) <= _WHY_CHARS else f"{why[:_WHY_CHARS]}…"
