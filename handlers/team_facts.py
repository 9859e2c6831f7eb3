"""The records of a plan that moved on: steps that ended, tasks that are asked for, the end. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from agents.team.advance import Moved, Start
from agents.team.conflict import answer_of
from agents.team.standing import Standing
from events.event import Envelope, Event, Fact
from events.ids import derived_id
from events.plan import SUPERVISOR, PlanEnded, PlanSettled, PlanStepEnded
from events.request import CancelTask, GivenFile, Request, SubmitTask
from events.stamp import stamp
from events.topics import TASKS, Names
from events.wire import Outgoing, encode

SOURCE = SUPERVISOR


def records(moved: Moved, outputs: Mapping[str, Any], by: Envelope, names: Names, now: datetime) -> list[Outgoing]:
    """Return what follows from `by`, in order: the ends of steps, what is asked for, and the plan's end."""
    put: list[Outgoing] = []
    cause = by
    starts = {id(start.fact): start for start in moved.starts}
    for fact in facts(moved, outputs):
        event = _event(fact, cause, by, now)
        put.append(encode(names.of(TASKS), event))
        if start := starts.get(id(fact)):
            put.append(_asked(moved.standing, start, event, names))
        else:
            cause = event.envelope  # what is asked for side by side follows from one event
    return put


def facts(moved: Moved, outputs: Mapping[str, Any]) -> list[Fact]:
    """Return what is told of a plan that moved on: the ends of steps, what is asked for, and its own end."""
    standing = moved.standing
    of_steps = [fact for name in moved.ended for fact in _of_step(standing, name, outputs)]
    own = [] if standing.outcome is None else [ended(standing)]
    return [*of_steps, *(start.fact for start in moved.starts), *own]


def given_up(standing: Standing, by: Envelope, names: Names, now: datetime) -> list[Outgoing]:
    """Return what follows when a plan's task is over before the plan: its parts are cancelled."""
    event = _event(ended(replace(standing, outcome="given_up")), by, by, now)
    return [
        encode(names.of(TASKS), event),
        *(_cancelled(standing, part, event, names) for part in standing.open_tasks),
    ]


def ended(standing: Standing) -> PlanEnded:
    """Return the end of a plan as a fact."""
    ends = [end.outcome for end in standing.ended.values()]
    bad = [f"{name}: {end.reason}" for name, end in standing.ended.items() if end.outcome != "completed"]
    return PlanEnded(
        tenant=standing.brief.tenant,
        task_id=standing.brief.task_id,
        attempt=standing.brief.attempt,
        outcome=standing.outcome or "given_up",
        completed=ends.count("completed"),
        failed=ends.count("failed"),
        skipped=ends.count("skipped"),
        cost_microusd=standing.cost_microusd,
        detail="; ".join(bad)[:2_000] or None,
    )


def digest(output: Any) -> str:
    """Return the sha256 of an output as JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(output, order="deterministic")).hexdigest()


def _of_step(standing: Standing, name: str, outputs: Mapping[str, Any]) -> Sequence[Fact]:
    """Return what is told of a step's end: where several answered, how that was settled comes first."""
    end, parts = standing.ended[name], standing.parts.get(name, ())
    part = standing.result(name)
    costs = [one.cost_microusd for one in parts if one.cost_microusd is not None]
    brief = standing.brief
    fact = PlanStepEnded(
        tenant=brief.tenant,
        task_id=brief.task_id,
        attempt=brief.attempt,
        step=name,
        outcome=end.outcome,
        parts=tuple(one.task_id for one in parts),
        agents=tuple(one.agent for one in parts if one.agent),
        output_sha256=digest(outputs[part.task_id]) if part else None,
        reason=end.reason,
        detail=end.detail,
        cost_microusd=sum(costs) if costs else None,
        duration_us=sum(one.duration_us for one in parts),
    )
    return (fact,) if end.settled is None else (_settled(standing, name, outputs), fact)


def _settled(standing: Standing, name: str, outputs: Mapping[str, Any]) -> PlanSettled:
    """Return what became of several answers; long ones are told by their digest."""
    end = standing.ended[name]
    parts = standing.parts[name]
    good = [one for one in parts if one.outcome == "completed" and one.task_id in outputs]
    told = end.settled
    answers = [
        answer_of(one.task_id, one.agent or "", outputs[one.task_id], one.score)
        if one.output_sha256 is None
        else replace(
            answer_of(one.task_id, one.agent or "", outputs[one.task_id], one.score), output={"sha256": one.output_sha256}
        )
        for one in good
    ]
    return PlanSettled(
        tenant=standing.brief.tenant,
        task_id=standing.brief.task_id,
        attempt=standing.brief.attempt,
        step=name,
        answers=tuple(answers),
        conflicts=told.conflicts if told else (),
        rule=told.rule if told else "",
        chosen=None if told is None or told.chosen is None else good.index(parts[told.chosen]),
    )


def _event(fact: Fact, cause: Envelope, by: Envelope, now: datetime) -> Event[Fact]:
    """Return a fact about the task that was split, whatever it follows from."""
    return stamp(fact, source=SOURCE, now=now, correlation=fact.key, cause=cause.id, traceparent=by.traceparent)


def _asked(standing: Standing, start: Start, event: Event[Fact], names: Names) -> Outgoing:
    """Return the request for a part, under the id of the fact that says so."""
    brief = standing.brief
    request = SubmitTask(
        text=start.text,
        kind=start.fact.kind,
        input=start.input,
        scope=brief.scope,
        unit=standing.root_id,
        priority=brief.priority,
        deadline=brief.deadline,
        agent=start.agent,
        avoid=start.fact.avoid,
        files=tuple(GivenFile(name=one.name, media_type=one.media_type, sha256=one.sha256) for one in start.files),
    )
    return _request(request, event.id, event, standing, names)


def _cancelled(standing: Standing, part: str, event: Event[Fact], names: Names) -> Outgoing:
    request = CancelTask(task_id=part, reason=f"it was a part of {standing.brief.task_id}, which is over")
    return _request(request, derived_id("plan_cancel", part), event, standing, names)


def _request(request: Request, request_id: str, event: Event[Fact], standing: Standing, names: Names) -> Outgoing:
    """Return the record of a request: sent again under its id, it asks for nothing new."""
    envelope = Envelope(
        id=request_id,
        source=SOURCE,
        subject=request.key,
        time=event.envelope.time,
        correlation_id=standing.brief.task_id,
        causation_id=event.id,
        traceparent=event.envelope.traceparent,
    )
    made = encode(names.requests_of(standing.brief.tenant), Event(envelope, request))
    return replace(made, key=request_id.encode()) if isinstance(request, SubmitTask) else made
