"""How a task is split: as whoever asked says, by shapes, by the requests in its text, or by a model; all is checked alike."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.port import LOCAL, Ask, Language, Message
from agents.team import comparing, goal, sketch
from agents.team.check import faults
from agents.team.fitting import TooMany, instantiated
from agents.team.goal import Suit
from agents.team.shape import Shape
from events.plan import Plan

_FIELD = "plan"  # of a task's input: a plan, or the name of a shape


def _nobody() -> Suit:
    return lambda _text: None


class House(Struct, frozen=True):
    """The skills that there are, and what makes what tells whom a text suits (some milliseconds); without it nobody is known."""

    kinds: frozenset[str]
    suiting: Callable[[], Suit] = _nobody


class Planned(Struct, frozen=True):
    """A plan that was checked, what made it, and why this one."""

    plan: Plan
    made_by: str
    why: str


async def plan(work: Work, shapes: Sequence[Shape], house: House, language: Language | None, local: bool = False) -> Planned:
    """Return the plan of a task; `local`: one of the model on this machine is taken, too.

    Raises:
        AgentFailed: none fits, or what was given or said by a model is no plan.
    """
    asked, kinds = work.input.get(_FIELD), house.kinds
    if asked is not None:
        return _asked(asked, work, shapes, kinds)
    fitting = _fitting(shapes, work, work.text) or await asyncio.to_thread(_of_text, work, house)
    if fitting is not None:
        return fitting
    if language is not None:
        return await _said(work, house, language, local)
    known = ", ".join(shape.name for shape in shapes) or "none"
    nothing = f"nothing that came with it fits a shape ({known}), and its text suits nobody clearly"
    undone = await asyncio.to_thread(_undone, work, house)
    raise AgentFailed("no_plan", f"{undone or nothing}; no language model is here to plan")


def _undone(work: Work, house: House) -> str:
    """Return which of a text's requests nobody clearly does, in words; empty: all or none."""
    bad = goal.for_nobody(work.text, house.suiting()) if not work.files and not work.input else ()
    return f"nobody here clearly does this part: {'; '.join(_quoted(one) for one in bad)}" if bad else ""


def _quoted(text: str) -> str:
    return f'"{" ".join(text.split())[:80]}"'


def _of_text(work: Work, house: House) -> Planned | None:
    """Return the plan of what a task's text asks for, if that clearly suits agents; nothing else came with it."""
    if work.files or work.input:
        return None
    made = goal.planned(work.text, house.suiting(), house.kinds)
    if made is None:
        return None
    if made == comparing.compared(work.text, house.kinds):
        why = "its text names two things, which are worked on first and then compared"
        return _sound(Planned(made, f"text:{comparing.RULE}", why), house.kinds)
    parts = f"{len(made.steps)} requests" if len(made.steps) > 1 else "one request"
    return _sound(Planned(made, f"text:{goal.RULE}", f"its text holds {parts}, each for whom it suits best"), house.kinds)


def _fitting(shapes: Sequence[Shape], work: Work, text: str | None) -> Planned | None:
    """Return the plan of the shapes that fit what came with a task, if any does; `text` None: whatever it says."""
    try:
        found, names = instantiated(shapes, work.files, work.input, text)
    except TooMany as error:
        raise AgentFailed("bad_plan", str(error)) from error
    if found is None:
        return None
    return _sound(Planned(found, f"shapes:{','.join(names)}", f"what came with it fits {', '.join(names)}"), None)


def _asked(asked: Any, work: Work, shapes: Sequence[Shape], kinds: Collection[str]) -> Planned:
    """Return the plan that the task names or brings along."""
    if isinstance(asked, str):
        shape = next((one for one in shapes if one.name == asked), None)
        if shape is None:
            raise AgentFailed("no_plan", f"no shape is called {asked!r}; there are {', '.join(one.name for one in shapes)}")
        fitting = _fitting([shape], work, None)
        plan = fitting.plan if fitting else shape.plan
        return _sound(Planned(plan, f"shapes:{shape.name}/{shape.version}", "it was asked for by name"), None)
    try:
        given = msgspec.convert(asked, Plan)
    except msgspec.ValidationError as error:
        raise AgentFailed("bad_plan", f"input.plan: {error}") from error
    return _sound(Planned(given, "given", "whoever asked brought it along"), kinds)


async def _said(work: Work, house: House, language: Language, local: bool) -> Planned:
    """Ask a language model for a plan, and take it only if it is one."""
    kinds = house.kinds
    ask = Ask(
        messages=(Message("system", sketch.told(kinds)), Message("user", sketch.asked(work))),
        deadline=work.deadline,
        tenant=work.tenant,
        agent=work.agent,
        task_id=work.task_id,
        purpose="plan",
        max_tokens=512,
        schema=sketch.schema(kinds),
    )
    said = await language.complete(ask)
    if said.backend == LOCAL and not local:
        undone = await asyncio.to_thread(_undone, work, house) or "nothing that came with it fits a shape"
        raise AgentFailed("no_plan", f"{undone}, and {said.model}, the model here, plans nothing rightly")
    if said.data == {"steps": []}:
        raise AgentFailed("no_plan", f"{said.model} says that no agent here can do it")
    try:
        made = sketch.plan_of(said.data, work)
    except msgspec.ValidationError as error:
        raise AgentFailed("bad_plan", f"{said.model} said no plan: {error}") from error
    return _sound(Planned(made, f"model:{said.model}", f"{said.model} split it"), kinds)


def _sound(planned: Planned, kinds: Collection[str] | None) -> Planned:
    """Return a plan that nothing is wrong with; raises AgentFailed, which tells everything that is."""
    wrong = faults(planned.plan, kinds)
    if wrong:
        raise AgentFailed("bad_plan", "; ".join(map(str, wrong)))
    return planned
