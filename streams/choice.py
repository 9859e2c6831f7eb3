"""Choose an agent for each attempt. Pure: agents, policies, liveness and the draw come in as arguments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct

from events.control import Control
from events.experiment import Variant
from events.task import AgentChosen, AttemptEnded, Candidate, ChoiceContext, Features, LeftOut, PolicyRef, TaskAdmitted, TaskEnded
from learning.book import Page, PolicyKey
from learning.match import Match, fits, match
from learning.policy import NO_FITS, Context, Decision, Fits, choose

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


class Due(NamedTuple):
    """An attempt, the policy that is to choose for it, that policy's state, and the number in [0, 1) that decides."""

    wanted: Wanted
    serving: Served
    page: Page
    draw: float


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


def choose_agents(
    due: Sequence[Due],
    control: Control,
    *,
    to_context: Callable[[Features], Context],
    context_map: str,
    is_live: Callable[[str], bool],
) -> list[AgentChosen | TaskEnded]:
    """Return for each attempt the choice with its exact propensity, or the task's end if nobody can do it.

    Those with one policy state and the same candidates are decided about together, which changes no bit.
    """
    found = [match(control.agents_of(one.wanted.tenant), one.wanted.context, is_live) for one in due]
    near = [_fits(one, each, control) for one, each in zip(due, found, strict=True)]
    decisions = _decisions(due, found, near, to_context)
    return [
        _chosen(one, each, decisions[at], near[at], context_map) if each.candidates else _nobody(one.wanted, each)
        for at, (one, each) in enumerate(zip(due, found, strict=True))
    ]


def _fits(due: Due, found: Match, control: Control) -> Fits:
    """Return how near to the text lies what candidates say of themselves, if the policy looks at that."""
    if not due.page.policy.matches:
        return NO_FITS
    tenant = due.wanted.tenant
    return fits(due.wanted.context.features, [(agent, control.agents[tenant, agent]) for agent in found.candidates])


def _decisions(
    due: Sequence[Due], found: Sequence[Match], near: Sequence[Fits], to_context: Callable[[Features], Context]
) -> dict[int, Decision]:
    """Return by place in the batch what the policies make of everybody who can be chosen."""
    alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for at, (one, each) in enumerate(zip(due, found, strict=True)):
        if each.candidates:
            alike.setdefault((id(one.page), each.candidates), []).append(at)
    decisions: dict[int, Decision] = {}
    for (_, candidates), places in alike.items():
        contexts = np.array([to_context(due[at].wanted.context.features) for at in places])
        policy, beside = due[places[0]].page.policy, [near[at] for at in places]
        decisions.update(zip(places, policy.decide_many(contexts, candidates, beside), strict=True))
    return decisions


def _chosen(due: Due, found: Match, decision: Decision, near: Fits, context_map: str) -> AgentChosen:
    """Draw, and tell all that the choice was made of."""
    wanted, chosen = due.wanted, choose(decision, due.draw)
    return AgentChosen(
        tenant=wanted.tenant,
        task_id=wanted.task_id,
        attempt=wanted.attempt,
        context=wanted.context,
        context_map=context_map,
        candidates=_candidates(decision, near),
        left_out=found.left_out,
        agent=chosen.agent,
        propensity=chosen.propensity,
        draw=due.draw,
        explored=chosen.explored,
        policy=_reference(due.page, due.serving.model),
        decided_by=due.serving.decided_by,
        weights=dict(decision.weights) or None,
    )


def _candidates(decision: Decision, near: Fits) -> tuple[Candidate, ...]:
    beside = map(near.get, decision.agents)
    figures = zip(decision.agents, decision.scores, decision.parts_by_name(), decision.probabilities, beside, strict=True)
    return tuple(Candidate(*each) for each in figures)


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
        detail=_nobody_left(wanted) if tried else _nobody_fits(wanted.context, found),
        left_out=found.left_out,
    )


def _nobody_left(wanted: Wanted) -> str:
    """Say who was tried, and what the last of them failed with."""
    told = f"nobody is left after {', '.join(wanted.context.tried)} failed"
    if wanted.context.agent is not None:
        told = f"{wanted.context.agent} failed, and nobody else was asked for"
    return f"{told}; the last with {_shortened(wanted.failed_with)}" if wanted.failed_with else told


_WHY_NOT = {
    "paused": "is paused",
    "not_for_tenant": "may not be asked by this tenant",
    "no_skill": "does not have the skill",
    "no_fit": "does not fit the text, by its description and its examples",
}


def _why_not(one: LeftOut) -> str:
    """Say why an agent cannot be chosen."""
    if one.lacks:
        return f"needs {' and '.join(one.lacks)}, which did not come with the task"
    return _WHY_NOT.get(one.reason, "is not there any more")


def _nobody_fits(context: ChoiceContext, found: Match) -> str:
    """Say what nobody fits, or why the one that was asked for cannot."""
    kind = context.kind
    if context.agent is not None:
        asked = next((one for one in found.left_out if one.agent == context.agent), LeftOut(context.agent, ""))
        return f"agent {context.agent!r} was asked for, but {_why_not(asked)}"
    told = "no agent fits the text" if not kind else f"no agent fits a task of kind {kind!r}"
    near = next((one for one in found.left_out if one.lacks), None)
    return f"{told}: {near.agent} {_why_not(near)}" if near else told


def _shortened(why: str) -> str:
    return why if len(why) <= _WHY_CHARS else f"{why[:_WHY_CHARS]}…"
