"""What becomes of submissions: each is admitted, and an agent is chosen for it, or it is told why not.

It changes nothing and needs no claim: intake works it out while Postgres looks whose the requests are. A repeat costs a choice.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from events.event import Fact
from events.request import SubmitTask
from events.task import TaskAdmitted
from streams.admission import Reading, Refused, Rules, admit_task
from streams.choice import wanted_first
from streams.chooser import Chooser, Chosen
from streams.errors import ChoiceImpossible
from streams.inspection import Healthy, Sick


class Accepted(NamedTuple):
    """A request, and the facts that follow from it."""

    request: Healthy
    facts: tuple[Fact, ...]


Told = Accepted | Sick


class Reader(Protocol):
    """Reads language and features out of a text; called in a thread, unless that is quick."""

    def quick(self, text: str) -> bool:
        """Return whether reading a text takes so little that it needs no thread."""
        ...

    def read(self, text: str) -> Reading:
        """Return what a policy may see of the text."""
        ...


class Submission(NamedTuple):
    """A request for a task, and what is being read out of its text; None: it is quickly read."""

    request: Healthy
    asked: SubmitTask
    reading: asyncio.Future[Reading] | None


class Admitting:
    """Admits and chooses by what is in force when it is asked."""

    def __init__(self, chooser: Chooser, reader: Reader, rules: Rules, clock: Callable[[], datetime]) -> None:
        self._chooser, self._control = chooser, chooser.control
        self._reader, self._rules, self._clock = reader, rules, clock

    async def told(self, submissions: Sequence[Submission]) -> Mapping[str, Told]:
        """Return by origin what becomes of each, in order; those admitted are chosen for together.

        Raises:
            LearningError: what was learned cannot be known; nobody can be chosen for.
        """
        told = [await self._admitted(one) for one in submissions]
        admitted = [last for one in told if isinstance(one, Accepted) and isinstance(last := one.facts[-1], TaskAdmitted)]
        choices = iter(await self._chooser.choose_many([wanted_first(fact) for fact in admitted]))
        chosen = [one if isinstance(one, Sick) else _with(one, next(choices)) for one in told]
        return {one.request.record.origin: what for one, what in zip(submissions, chosen, strict=True)}

    async def _admitted(self, one: Submission) -> Told:
        """Return the two facts of a submission, or why there are none."""
        reading = self._reader.read(one.asked.text) if one.reading is None else await one.reading
        try:
            facts = admit_task(
                one.request.asked,
                one.asked,
                reading,
                self._control.control,
                self._control.seen(),
                self._rules,
                self._clock(),
            )
        except Refused as error:
            return one.request.refused(error.reason, str(error))
        return Accepted(one.request, facts)


def _with(told: Accepted, chosen: Chosen) -> Told:
    """Add to an admission who does the task, or its end if nobody can; if the policy in force cannot choose, refuse it."""
    if isinstance(chosen, ChoiceImpossible):
        return told.request.refused(chosen.code, str(chosen))
    return Accepted(told.request, (*told.facts, chosen))
