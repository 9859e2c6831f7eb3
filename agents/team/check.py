"""What is wrong with a plan: steps that are not there, cycles with their path, skills nobody has, too many parts. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from agents.team.reference import TASK, BadReference, needs, of_step, target
from events.plan import Plan, PlanStep


class PlanFault(NamedTuple):
    """One thing that is wrong, and with which step (None: with the whole)."""

    step: str | None
    what: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"step {self.step}: {self.what}" if self.step else self.what


def faults(plan: Plan, kinds: Collection[str] | None = None) -> tuple[PlanFault, ...]:
    """Return everything that is wrong with a plan; `kinds` None: any skill will do."""
    found = [*_names(plan), *_parts(plan), *_kinds(plan, kinds)]
    for step in plan.steps:
        found += _references(step, {one.id for one in plan.steps})
    return tuple(found) if found else tuple(_cycles(plan))


def cycle(plan: Plan) -> tuple[str, ...]:
    """Return the steps of a circle of dependencies, first and last the same; empty: there is none."""
    before = {step.id: needs(step) for step in plan.steps}
    done: set[str] = set()
    for start in before:
        found = _circle(start, before, done)
        if found:
            return found
    return ()


def _circle(start: str, before: Mapping[str, tuple[str, ...]], done: set[str]) -> tuple[str, ...]:
    """Walk down from a step, without recursion: a plan may come from a stranger."""
    path: list[str] = [start] if start not in done else []
    branches = [iter(before[start])] if path else []
    while path:
        below = next(branches[-1], None)
        if below is None:
            done.add(path.pop())
            branches.pop()
        elif below in path:
            return (*path[path.index(below) :], below)
        elif below not in done and below in before:
            path.append(below)
            branches.append(iter(before[below]))
    return ()


def _cycles(plan: Plan) -> Iterator[PlanFault]:
    found = cycle(plan)
    if found:
        yield PlanFault(found[0], f"it waits for itself: {' -> '.join(found)}")


def _names(plan: Plan) -> Iterator[PlanFault]:
    seen: set[str] = set()
    for step in plan.steps:
        if step.id in seen:
            yield PlanFault(step.id, "two steps have this id")
        if step.id == TASK:
            yield PlanFault(step.id, "the name stands for the task itself")
        seen.add(step.id)


def _parts(plan: Plan) -> Iterator[PlanFault]:
    parts = sum(step.ask for step in plan.steps)
    if parts > plan.limits.parts:
        yield PlanFault(None, f"it has {parts} parts, and its limit is {plan.limits.parts}")


def _kinds(plan: Plan, kinds: Collection[str] | None) -> Iterator[PlanFault]:
    for step in plan.steps:
        if kinds is not None and step.agent is None and step.kind not in kinds:
            yield PlanFault(step.id, f"no agent has the skill {step.kind!r}; there are {', '.join(sorted(kinds)) or 'none'}")
        if step.agent is not None and step.ask > 1:
            yield PlanFault(step.id, "it names one agent and asks several")


def _references(step: PlanStep, known: set[str]) -> Iterator[PlanFault]:
    for reference in of_step(step):
        try:
            name = target(reference)
        except BadReference as error:
            yield PlanFault(step.id, str(error))
            continue
        if name not in known | {TASK}:
            yield PlanFault(step.id, f"${{{reference}}}: there is no step {name!r}")
    for name in step.after:
        if name not in known:
            yield PlanFault(step.id, f"after: there is no step {name!r}")
