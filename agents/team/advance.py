"""What comes next in a plan: steps that are over, parts to ask for, the end. Pure, and the same for whoever asks again."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.team.conflict import answer_of, settle
from agents.team.reference import ReferenceMissing, filled, needs, shown
from agents.team.standing import Part, Settled, Standing, StepEnd, known
from events.ids import derived_id, task_id
from events.plan import SUPERVISOR, PlanOutcome, PlanStep, PlanStepStarted
from events.task import FileRef


class Start(Struct, frozen=True):
    """A part to ask for: its fact, whose id is the request's, and what the task is given."""

    fact: PlanStepStarted
    text: str
    input: dict[str, Any]
    files: tuple[FileRef, ...]
    agent: str | None


class Moved(Struct, frozen=True):
    """How a plan stands now, what is to be asked for, and which steps ended just now."""

    standing: Standing
    starts: tuple[Start, ...]
    ended: tuple[str, ...]


def advance(standing: Standing, outputs: Mapping[str, Any]) -> Moved:
    """Go as far as what is known allows; `outputs` has the output of every completed part by its task."""
    before = frozenset(standing.ended)
    starts: list[Start] = []
    while standing.outcome is None:
        after, found = _pass(standing, outputs)
        starts += found
        if after == standing:
            break
        standing = after
    if standing.outcome is None and len(standing.ended) == len(standing.plan.steps):
        standing = replace(standing, outcome=outcome(standing))
    ended = tuple(name for name in standing.ended if name not in before)
    return Moved(standing, tuple(starts), ended)


def outcome(standing: Standing) -> PlanOutcome:
    """Return how a plan whose steps are all over ended: failed if one that is needed did, or all."""
    bad = [step for step in standing.plan.steps if standing.ended[step.id].outcome != "completed"]
    if any(step.needed for step in bad) or len(bad) == len(standing.plan.steps):
        return "failed"
    return "partial" if bad else "completed"


def by_step(standing: Standing, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output that counts of each completed step."""
    done = {step.id: standing.result(step.id) for step in standing.plan.steps}
    return {name: outputs[part.task_id] for name, part in done.items() if part is not None and part.task_id in outputs}


def _pass(standing: Standing, outputs: Mapping[str, Any]) -> tuple[Standing, list[Start]]:
    """Look at each step once: end it if its parts are over, skip it if it cannot begin, else ask for what it may ask for."""
    starts: list[Start] = []
    for step in standing.plan.steps:
        if step.id in standing.ended:
            continue
        end = _end(step, standing, outputs)
        if end is None and _ready(step, standing):
            start = _next(step, standing, outputs)
            if isinstance(start, Start):
                starts.append(start)
                standing = _with_part(standing, start)
            else:
                end = start
        if end is not None:
            standing = replace(standing, ended={**standing.ended, step.id: end})
    return standing, starts


def _end(step: PlanStep, standing: Standing, outputs: Mapping[str, Any]) -> StepEnd | None:
    """Return how a step ended, if it is over."""
    parts = standing.parts.get(step.id, ())
    if not parts:
        return _unable(step, standing)
    if any(part.outcome is None for part in parts) or _asks_more(step, standing):
        return None
    good = [place for place, part in enumerate(parts) if part.outcome == "completed" and part.task_id in outputs]
    if not good:
        return StepEnd("failed", None, parts[0].reason or "output_missing", parts[0].detail)
    if len(good) == 1:
        return StepEnd("completed", good[0])
    return _settled(parts, good, outputs)


def _settled(parts: tuple[Part, ...], good: list[int], outputs: Mapping[str, Any]) -> StepEnd:
    """Settle what several agents answered; where that cannot be done the first stands, and the settlement says open."""
    told = settle(
        [answer_of(parts[at].task_id, parts[at].agent or "", outputs[parts[at].task_id], parts[at].score) for at in good]
    )
    chosen = None if told.chosen is None else good[told.chosen]
    return StepEnd("completed", good[0] if chosen is None else chosen, settled=Settled(told.rule, told.conflicts, chosen))


def _unable(step: PlanStep, standing: Standing) -> StepEnd | None:
    """Return the end of a step that can never begin: what it needs did not come about."""
    bad = [name for name in needs(step) if name in standing.ended and standing.ended[name].outcome != "completed"]
    return StepEnd("skipped", None, "needs_failed", f"it needs {', '.join(bad)}") if bad else None


def _ready(step: PlanStep, standing: Standing) -> bool:
    """Say whether a step may ask for a part now; of several agents the next is asked when the one before is known."""
    if any(name not in standing.ended for name in needs(step)):
        return False
    return step.id not in standing.parts or _asks_more(step, standing)


def _asks_more(step: PlanStep, standing: Standing) -> bool:
    """Say whether another agent is to be asked right now: nobody is, once one could not be found."""
    parts = standing.parts.get(step.id, ())
    return 0 < len(parts) < step.ask and parts[-1].agent is not None and not _over_budget(standing)


def _over_budget(standing: Standing) -> bool:
    limit = standing.plan.limits.microusd
    return limit is not None and (standing.cost_microusd or 0) >= limit


def _next(step: PlanStep, standing: Standing, outputs: Mapping[str, Any]) -> Start | StepEnd:
    """Return the part to ask for, or why the step cannot begin."""
    if _over_budget(standing):
        return StepEnd("skipped", None, "budget", f"the steps before cost {standing.cost_microusd} microusd")
    given = known(standing, by_step(standing, outputs))
    try:
        text, inputs = shown(filled(step.text, given)), filled(step.input, given)
        files = _files(filled(list(step.files), given))
    except (ReferenceMissing, msgspec.ValidationError) as error:
        return StepEnd("failed", None, "reference_missing", str(error))
    if not text.strip():
        return StepEnd("failed", None, "empty_text", "what it refers to is empty")
    return Start(_fact(step, standing), text, inputs, files, step.agent)


def _fact(step: PlanStep, standing: Standing) -> PlanStepStarted:
    brief, parts = standing.brief, standing.parts.get(step.id, ())
    avoid = tuple(dict.fromkeys(part.agent for part in parts if part.agent is not None))
    return PlanStepStarted(
        tenant=brief.tenant,
        task_id=brief.task_id,
        attempt=brief.attempt,
        step=step.id,
        ask=len(parts) + 1,
        kind=step.kind,
        avoid=avoid,
    )


def _with_part(standing: Standing, start: Start) -> Standing:
    fact = start.fact
    part = Part(fact.ask, task_id(fact.tenant, SUPERVISOR, derived_id(*fact.slot())))
    return replace(standing, parts={**standing.parts, fact.step: (*standing.parts.get(fact.step, ()), part)})


def _files(found: list[Any]) -> tuple[FileRef, ...]:
    """Return what references to files stand for: one each, or a list of them."""
    flat = [one for some in found for one in (some if isinstance(some, list | tuple) else [some])]
    return tuple(msgspec.convert(one, FileRef) for one in flat)
