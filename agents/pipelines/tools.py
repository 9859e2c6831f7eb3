"""The worker with tools: plans, calls, looks at what came, and answers; within steps, time and money."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from agents.errors import AgentFailed, EffectUnknown
from agents.pipeline import Effects, Result, Timer, Toolbox, Work
from agents.port import Language
from agents.tool import Tool
from agents.tools.call import Caller, Grant, as_data
from agents.tools.catalog import opened
from agents.tooluse.loop import Solved, limits_of, solve
from agents.tooluse.model import ModelPlanner
from agents.tooluse.rules import RulePlanner, knows
from agents.tooluse.story import Planner, Story

Who = Literal["auto", "rules", "model"]


class ToolSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who plans, how far, and where calls may go.

    `planner` auto: the rules where they know the shape of a task, else the language model. `targets` names, for each tool
    and each of its target arguments, the values that are allowed; one that ends in `*` stands for all that begin so.
    `ask`: a person has to allow each call of these tools; true: of each that changes something. `ask_copied`: of each that
    reaches outside with what a tool brought in its arguments.
    """

    planner: Who = "auto"
    moves: Annotated[int, Meta(ge=1, le=50)] = 8
    seconds: Annotated[float, Meta(gt=0)] = 60.0
    targets: dict[str, dict[str, tuple[str, ...]]] = {}
    ask: bool | tuple[str, ...] = False
    ask_copied: bool = True


class Tools:
    """Does tasks of several steps with the tools that its spec grants, and with no others."""

    name: ClassVar[str] = "tools"
    Settings: ClassVar[type[Struct]] = ToolSettings

    def __init__(self, settings: ToolSettings, toolbox: Toolbox) -> None:
        self._settings = settings
        self._toolbox = toolbox

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Work until there is an answer.

        Raises:
            AgentFailed: a limit is reached, or nobody knows how to go on.
        """
        wanted = frozenset(work.spec.tools if work.spec else ())
        async with opened(self._toolbox, wanted) as tools:
            return await work_with(tools, self._settings, self._toolbox.language, work, effects, timer)


async def work_with(
    tools: Mapping[str, Tool], settings: ToolSettings, language: Language | None, work: Work, effects: Effects, timer: Timer
) -> Result:
    """Do one attempt with these tools, of which only those that the spec grants are called.

    Raises:
        EffectUnknown: something was changed outside before it failed, so that no other agent may begin anew.
        AgentFailed: a limit is reached, or nobody knows how to go on.
    """
    spec = work.spec
    limits = limits_of(settings.moves, settings.seconds, spec.budget if spec else None)
    asked = frozenset(settings.ask) if isinstance(settings.ask, tuple) else frozenset[str]()
    grant = Grant(
        frozenset(spec.tools if spec else ()), settings.targets, limits.moves, asked, settings.ask is True, settings.ask_copied
    )
    caller = Caller(tools, grant, work, effects, timer)
    story = Story(work, caller.granted)
    planner = planner_for(settings.planner, language, story)
    try:
        solved = await solve(story, planner, caller, limits, timer)
    except AgentFailed as failure:
        if not caller.changed:
            raise
        unknown = EffectUnknown(f"{failure.detail} ({failure.reason}), after a tool had changed something")
        unknown.steps = failure.steps
        raise unknown from failure
    return Result(output_of(solved, planner), solved.steps, solved.cost_microusd)


def planner_for(wanted: Who, language: Language | None, story: Story) -> Planner:
    """Return who plans this task.

    Raises:
        AgentFailed: it should be a language model, and there is none.
    """
    if wanted == "model" and language is None:
        raise AgentFailed("no_language", "there is no language model here, and the spec wants one to plan")
    if wanted == "rules" or language is None or (wanted == "auto" and knows(story)):
        return RulePlanner()
    return ModelPlanner(language)


def output_of(solved: Solved, planner: Planner) -> dict[str, Any]:
    """Return the answer with what it rests on: who planned, and every call with what it brought."""
    return {
        "answer": solved.answer.text,
        "citations": list(solved.answer.citations),
        "planner": planner.name,
        "calls": [{"tool": seen.tool, "seen": as_data(seen)} for _, seen in solved.story.seen],
    }
