"""Plans folded again from the log: from what was told of their parts, every fact of theirs has to come out as it stands there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agents.team.advance import advance
from agents.team.standing import Heard, Standing, brief_of, heard
from events.answer import RequestRefused
from events.event import Event, Fact
from events.ids import derived_id
from events.ids import task_id as task_id_of
from events.plan import SUPERVISOR, PlanEnded, PlanMade, PlanSettled, PlanStepEnded, PlanStepStarted
from events.task import AgentChosen, AttemptEnded, TaskEnded, TaskSubmitted
from handlers.team_facts import facts

_OWN = (PlanStepStarted, PlanSettled, PlanStepEnded, PlanEnded)


class Refolded(Struct, frozen=True):
    """One plan folded again: how many facts came out, and those that differ from the log, for people."""

    task_id: str
    attempt: int
    facts: int
    differences: tuple[str, ...]


class Split(Struct, frozen=True):
    """What the log holds of one plan: its task, its own facts by id, and what was told of its parts, in order."""

    made: Event[PlanMade]
    task: TaskSubmitted
    own: Mapping[str, Fact]
    told: Sequence[tuple[str, Event[Heard]]]


def splits(events: Iterable[Event[Fact]]) -> list[Split]:
    """Return every plan in the log that is over, with what belongs to it; the first event of an id counts."""
    first: dict[str, Event[Fact]] = {}
    for event in events:
        first.setdefault(event.id, event)
    tasks = {one.fact.task_id: one.fact for one in first.values() if isinstance(one.fact, TaskSubmitted)}
    own: dict[tuple[str, int], dict[str, Fact]] = {}
    told: dict[str, list[Event[Heard]]] = {}
    for one in first.values():
        fact = one.fact
        if isinstance(fact, _OWN):
            own.setdefault((fact.task_id, fact.attempt), {})[one.id] = fact
        elif isinstance(fact, AgentChosen | AttemptEnded | TaskEnded):
            told.setdefault(fact.task_id, []).append(Event(one.envelope, fact))
        elif isinstance(fact, RequestRefused) and fact.requested_by == SUPERVISOR and fact.request_id:
            told.setdefault(task_id_of(fact.tenant, SUPERVISOR, fact.request_id), []).append(Event(one.envelope, fact))
    made = [Event(one.envelope, one.fact) for one in first.values() if isinstance(one.fact, PlanMade)]
    return [
        _split(one, tasks[one.fact.task_id], own.get((one.fact.task_id, one.fact.attempt), {}), told)
        for one in made
        if one.fact.task_id in tasks
    ]


def parts_of(split: Split) -> set[str]:
    """Return the tasks that a plan asked for."""
    return {task_id_of(fact.tenant, SUPERVISOR, key) for key, fact in split.own.items() if isinstance(fact, PlanStepStarted)}


def refold(split: Split, text: str, outputs: Mapping[str, Any]) -> Refolded:
    """Fold one plan again; `outputs` are those of completed parts by task, long ones from the blob store.

    A plan that was given up, or is still open, is compared as far as it came.
    """
    made = split.made.fact
    standing = Standing(
        brief=brief_of(split.task, made.attempt, made.agent, text, split.made.envelope.time),
        plan=made.plan,
        made_by=made.made_by,
        why=made.why,
        depth=made.depth,
        root_id=made.root_id,
        made_at=split.made.envelope.time,
    )
    again = {derived_id(*fact.slot()): fact for fact in _again(standing, split.told, outputs)}
    over = any(isinstance(fact, PlanEnded) and fact.outcome != "given_up" for fact in split.own.values())
    return Refolded(made.task_id, made.attempt, len(again), tuple(_differences(split.own, again, over)))


def _again(standing: Standing, told: Sequence[tuple[str, Event[Heard]]], outputs: Mapping[str, Any]) -> Iterable[Fact]:
    """Yield the facts that follow from what was told, in order."""
    moved = advance(standing, {})
    yield from facts(moved, {})
    for task, event in told:
        standing = heard(moved.standing, task, event.fact)
        if standing.outcome is None:
            done = {part.task_id for some in standing.parts.values() for part in some if part.outcome == "completed"}
            known = {one: outputs[one] for one in done if one in outputs}
            moved = advance(standing, known)
            yield from facts(moved, known)


def _differences(log: Mapping[str, Fact], again: Mapping[str, Fact], over: bool) -> Iterable[str]:
    """Yield what is not the same; of a plan that is not over, what did not come about is no difference."""
    for key in sorted(set(log) | set(again)):
        mine, theirs = log.get(key), again.get(key)
        if isinstance(mine, PlanEnded) and mine.outcome == "given_up":
            continue
        if mine is None and not over:
            continue
        if mine != theirs:
            fact: Any = mine or theirs
            step = f" of step {fact.step}" if hasattr(fact, "step") else ""
            yield f"{fact.event_type.name}{step}: the log has {_said(mine)}, the fold {_said(theirs)}"


def _said(fact: Fact | None) -> str:
    return "none" if fact is None else msgspec.json.encode(fact).decode()[:300]


def _split(
    made: Event[PlanMade], task: TaskSubmitted, own: Mapping[str, Fact], told: Mapping[str, Sequence[Event[Heard]]]
) -> Split:
    """Return what belongs to one plan; its parts' events in the order in which they happened."""
    bare = Split(made, task, own, ())
    mine = [(part, event) for part in parts_of(bare) for event in told.get(part, ())]
    mine.sort(key=lambda one: (one[1].envelope.time, one[0], _rank(one[1].fact)))
    return Split(made, task, own, tuple(mine))


def _rank(fact: Heard) -> int:
    """Return what comes first of a part's facts of one moment: its end comes last."""
    return 0 if isinstance(fact, AgentChosen) else 1 if isinstance(fact, AttemptEnded) else 2
