"""Plans: every one is complete, no step of it was asked for twice, and each of its facts follows from the log alone."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from events.event import Event, Fact
from events.plan import SUPERVISOR, PlanEnded, PlanMade, PlanStepStarted
from events.task import AttemptEnded, CancelRequested, TaskSubmitted
from smolit.audit.plans import refold, splits
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found

Plan = tuple[str, int]


def amiss(evidence: Evidence) -> list[Finding]:
    """Return what is wrong with plans; that one is open is a finding once everything has settled."""
    return [
        *found("plans", "a step was asked for under an id that no plan knows", _foreign(evidence)),
        *found("plans", "a step was asked for twice", _twice(evidence)),
        *found("plans", "the provider did the work of one step twice", _worked_twice(evidence)),
        *(found("plans", "a plan is not complete", _incomplete(evidence)) if evidence.settled else []),
        *unlike_a_fold(evidence),
    ]


def unlike_a_fold(evidence: Evidence) -> list[Finding]:
    """Return what does not come out as it stands in the log when plans are folded again, from nothing but the log."""
    events = [Event(event.envelope, event.fact) for _, event in evidence.log.first.values() if isinstance(event.fact, Fact)]
    bad: list[str] = []
    for one in splits(events):
        ends = [(part, event.fact) for part, event in one.told if isinstance(event.fact, AttemptEnded)]
        outputs = {part: end.output for part, end in ends if end.outcome == "completed"}
        folded = refold(one, one.task.text or "", outputs)  # texts and outputs of the harness are short: all stand in the log
        bad += [f"{folded.task_id}: {difference}" for difference in folded.differences]
    return found("plans", "a plan does not follow from the log", bad)


def counted(evidence: Evidence) -> dict[str, int]:
    """Return how many plans and steps there were."""
    return {"plans": len(evidence.log.facts(PlanMade)), "plan_steps": len(evidence.log.facts(PlanStepStarted))}


def _asked(evidence: Evidence) -> list[TaskSubmitted]:
    """Return the tasks that supervisors asked for."""
    return [event.fact for _, event in evidence.log.facts(TaskSubmitted) if event.fact.requested_by == SUPERVISOR]


def _foreign(evidence: Evidence) -> Iterable[str]:
    """Yield parts whose request does not have the id of the fact that a step was started."""
    started = {event.id for _, event in evidence.log.facts(PlanStepStarted)}
    return (f"{task.task_id} ({task.text})" for task in _asked(evidence) if task.request_id not in started)


def _twice(evidence: Evidence) -> Iterable[str]:
    """Yield what was asked for more than once; the text of a step names its task and the step (`smolit.chaos.script`)."""
    times = Counter((task.kind, task.text) for task in _asked(evidence))
    return (f"{kind}: {text} ({count} times)" for (kind, text), count in times.items() if count > 1)


def _worked_twice(evidence: Evidence) -> Iterable[str]:
    """Yield steps whose effect happened under more than one task."""
    step = {task.task_id: task.text or "" for task in _asked(evidence)}
    lines = (*evidence.once, *evidence.plain)
    times = Counter(step[line.operation] for line in lines if line.what == "applied" and line.operation in step)
    return (f"{text} ({count} times)" for text, count in times.items() if count > 1)


def _incomplete(evidence: Evidence) -> Iterable[str]:
    """Yield plans that did not end completed, though nobody cancelled their task."""
    ends = {_plan(event.fact): event.fact for _, event in evidence.log.facts(PlanEnded)}
    cancelled = {event.fact.task_id for _, event in evidence.log.facts(CancelRequested)}
    for _, event in evidence.log.facts(PlanMade):
        end = ends.get(_plan(event.fact))
        if end is None or (end.outcome != "completed" and event.fact.task_id not in cancelled):
            yield f"{event.fact.task_id}: {'open' if end is None else f'{end.outcome} ({end.detail})'}"


def _plan(fact: Any) -> Plan:
    return fact.task_id, fact.attempt
