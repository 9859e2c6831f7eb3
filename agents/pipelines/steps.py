"""Steps: an agent put together in YAML out of other pipelines, each with checks of what it brings.

The first step sees the task. Each later one sees what the step before brought: an object joins the task's input, and its
`text`, or an output that is a text, takes the place of the task's text. The last one's output is the agent's.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from agents.check import About, Checks, refuse_implausible
from agents.errors import AgentFailed, EffectUnknown, PipelineUnknown
from agents.pipeline import Effect, Effects, Pipeline, Result, Timer, Toolbox, Work
from agents.schema import as_json
from events.field import Ident, Name
from events.task import Step


class Way(Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline and its settings."""

    do: Name
    settings: dict[str, Any] = {}


class StepSettings(Way, frozen=True, forbid_unknown_fields=True):
    """One step: what it does, what must be true of what it brings, and what is tried instead if that is not.

    `tries`: how often each way is asked before the next one; `otherwise`: those ways, in order.
    """

    name: Ident | None = None
    check: tuple[Checks, ...] = ()
    tries: Annotated[int, Meta(ge=1, le=5)] = 1
    otherwise: Annotated[tuple[Way, ...], Meta(max_length=5)] = ()


class StepsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The steps, in order."""

    steps: Annotated[tuple[StepSettings, ...], Meta(min_length=1, max_length=20)]


class _Ready(NamedTuple):
    """A step with its pipelines built, the wanted one first."""

    name: str
    settings: StepSettings
    ways: list[Pipeline]


class Steps:
    """Does its steps one after the other; an output that a check rejects is never passed on."""

    name: ClassVar[str] = "steps"
    Settings: ClassVar[type[Struct]] = StepsSettings

    def __init__(self, settings: StepsSettings, toolbox: Toolbox) -> None:
        self._steps = [_ready(number, step, toolbox) for number, step in enumerate(settings.steps, 1)]

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Do all steps.

        Raises:
            AgentFailed: a step has no result, or none that passes its checks; it bears the steps that were done.
        """
        taken: list[Step] = []
        costs: list[int] = []
        output: Any = None
        try:
            for step in self._steps:
                seen = work if step is self._steps[-1] else replace(work, telling=None)  # only the last one brings the answer
                output = await _step(step, seen, effects, timer, taken, costs)
                work = after(work, output)
        except AgentFailed as failure:
            failure.steps = (*taken, *failure.steps)
            raise
        return Result(output, tuple(taken), sum(costs) if costs else None)


class _Named:
    """Side effects of one step: two steps that ask alike are two side effects."""

    def __init__(self, effects: Effects, step: str) -> None:
        self._effects, self._step = effects, step

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Hand on."""
        return await self._effects.once(replace(effect, step=f"{self._step}.{effect.step}"), call)


def after(work: Work, output: Any) -> Work:
    """Return the work as the next step sees it."""
    seen = as_json(output)
    if isinstance(seen, str):
        return replace(work, text=seen, input={**work.input, "text": seen})
    if not isinstance(seen, dict):
        return replace(work, input={**work.input, "output": seen})
    text = seen.get("text")
    return replace(work, text=text if isinstance(text, str) else work.text, input={**work.input, **seen})


async def _step(step: _Ready, work: Work, effects: Effects, timer: Timer, taken: list[Step], costs: list[int]) -> Any:
    """Return what a step brings by the first way whose output passes; `taken` and `costs` get what that took."""
    *others, last = [way for way in step.ways for _ in range(step.settings.tries)]
    for way in others:
        try:
            return await _once(step, way, work, effects, timer, taken, costs)
        except EffectUnknown:
            raise
        except AgentFailed as failure:
            taken.extend(failure.steps)
    return await _once(step, last, work, effects, timer, taken, costs)


async def _once(
    step: _Ready, way: Pipeline, work: Work, effects: Effects, timer: Timer, taken: list[Step], costs: list[int]
) -> Any:
    """Ask one way, and check what it brings."""
    result = await way.run(work, _Named(effects, step.name), timer)
    taken += [replace(one, name=f"{step.name}.{one.name}") for one in result.steps]
    if result.cost_microusd is not None:
        costs.append(result.cost_microusd)
    if step.settings.check:
        began, how = timer(), "rejected"
        try:
            refuse_implausible(result.output, step.settings.check, About(work.deadline))
            how = "checked"
        except AgentFailed as failure:
            raise AgentFailed(failure.reason, f"step {step.name}: {failure.detail}") from failure
        finally:
            taken.append(Step(f"{step.name}.{how}", round((timer() - began) * 1_000_000)))
    return result.output


def _ready(number: int, step: StepSettings, toolbox: Toolbox) -> _Ready:
    """Return a step with its pipelines."""
    return _Ready(step.name or f"{number}-{step.do}", step, [_built(way, toolbox) for way in (step, *step.otherwise)])


def _built(way: Way, toolbox: Toolbox) -> Pipeline:
    """Return the pipeline of a way.

    Raises:
        AgentFailed: there is no such pipeline, or its settings do not fit.
    """
    from agents.catalog import pipeline_of  # the catalog lists this pipeline, too

    try:
        pipeline = pipeline_of(way.do)
        if pipeline.name == Steps.name:
            raise PipelineUnknown("steps are not made of steps")
        settings: Any = msgspec.convert(way.settings, pipeline.Settings)
    except (PipelineUnknown, msgspec.ValidationError) as error:
        raise AgentFailed("agent_broken", f"step {way.do}: {error}") from error
    return pipeline(settings, toolbox)
