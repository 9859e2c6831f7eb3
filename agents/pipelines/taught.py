"""Taught: answers as people corrected it, or its colleagues, on like tasks; it names the lessons it leans on."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from agents.errors import AgentFailed
from agents.lesson import Lesson, taught
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work


class TaughtSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it learns from what others were told, and how many answers it weighs: those with the likest lesson."""

    shared: bool = True
    most: Annotated[int, Meta(ge=1, le=500)] = 60


class Taught:
    """Looks up lessons of the same kind of task, and answers what those say that are nearest as a whole."""

    name: ClassVar[str] = "taught"
    Settings: ClassVar[type[Struct]] = TaughtSettings

    def __init__(self, settings: TaughtSettings, toolbox: Toolbox) -> None:
        self._settings, self._lessons = settings, toolbox.lessons

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Look up and answer.

        Raises:
            AgentFailed: nobody was ever corrected on a like task, or there is nowhere to look.
        """
        if self._lessons is None or work.features is None:
            raise AgentFailed("no_lessons", "there is nowhere to look for lessons")
        watch = Stopwatch(timer)
        with watch.step("look up"):
            own = None if self._settings.shared else work.agent
            found = await self._lessons.near(work.tenant, work.kind, work.features, own, self._settings.most)
        with watch.step("weigh"):
            told = taught(found)
        if told is None:
            raise AgentFailed("nothing_taught", "nobody was corrected on a task like this one")
        output = {
            "answer": told.answer,
            "confidence": round(told.confidence, 4),
            "citations": [_cited(one) for one in told.lessons],
        }
        return Result(output, watch.steps)


def _cited(lesson: Lesson) -> dict[str, Any]:
    """Return a lesson as evidence: its source, its author and version, and whom it was said to."""
    return {
        "task_id": lesson.task_id,
        "rater": lesson.rater,
        "revision": lesson.revision,
        "agent": lesson.agent,
        "cosine": round(lesson.cosine, 4),
    }
