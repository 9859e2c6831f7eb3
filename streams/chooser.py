"""Who chooses: what is in force, what was learned and who is live, held together and followed from the log.

It keeps nothing of its own: what it needs stands in the attempt, and in states that every process folds alike. Asked again
after a crash it fills the same slot, perhaps with other content; the first in the log wins.
"""

from collections.abc import Sequence

from events.task import AgentChosen, TaskEnded
from learning.book import PolicyKey
from learning.draw import draw
from learning.errors import ArtefactError, LearningError
from learning.network import Networks
from store.snapshot import Snapshot
from streams.choice import Due, Wanted, choose_agents, policies_in_force, served
from streams.control import ControlReader
from streams.errors import ChoiceImpossible
from streams.library import Library
from streams.live import LiveAgents

Chosen = AgentChosen | TaskEnded | ChoiceImpossible


class Chooser:
    """Chooses an agent for an attempt; `default` serves where neither a person nor an experiment says otherwise."""

    def __init__(self, *, default: PolicyKey, secret: bytes, control: ControlReader, library: Library, live: LiveAgents) -> None:
        self.control = control
        self._default, self._secret = default, secret
        self._library, self._live = library, live

    @property
    def networks(self) -> Networks:
        """Where policies that choose by a trained network find it."""
        return self._library.networks

    async def start(self, snapshots: Sequence[Snapshot]) -> None:
        """Read what is in force, who is live and what was learned, to the ends seen now."""
        await self._library.start(snapshots)
        await self.control.start()
        await self._library.open(policies_in_force(self.control.control))
        await self._live.start()

    async def stop(self) -> None:
        """Follow no longer."""
        for part in (self._live, self.control, self._library):
            await part.stop()

    def check(self) -> None:
        """Raise if following failed."""
        for follower in (self.control, self._library, self._live):
            follower.check()

    async def choose(self, wanted: Wanted) -> AgentChosen | TaskEnded:
        """Return the choice with its exact propensity, or the task's end if nobody can do it.

        Raises:
            ChoiceImpossible: the policy in force cannot choose.
            LearningError: what was learned cannot be known; nobody can be chosen for.
        """
        due = await self._due(wanted)
        chosen = due if isinstance(due, ChoiceImpossible) else self._attempt(due)
        if isinstance(chosen, ChoiceImpossible):
            raise chosen
        return chosen

    async def choose_many(self, wanted: Sequence[Wanted]) -> list[Chosen]:
        """Return for each, in order, what `choose` returns, or the ChoiceImpossible it raises; raises LearningError as it."""
        found = [await self._due(one) for one in wanted]
        due = [one for one in found if isinstance(one, Due)]
        try:
            made: list[Chosen] = [*self._choices(due)]
        except LearningError:  # of one of them at least: the others are chosen for all the same
            made = [self._attempt(one) for one in due]
        chosen = iter(made)
        return [next(chosen) if isinstance(one, Due) else one for one in found]

    async def _due(self, wanted: Wanted) -> Due | ChoiceImpossible:
        """Return what a choice is made from, as far as it had to be waited for, or why the policy in force cannot choose."""
        await self.control.reach(wanted.context.seen)
        serving = served(wanted, self.control.control, self._default)
        try:
            page = await self._library.page(wanted.tenant, wanted.context.scope, serving.key)
        except ArtefactError as error:
            return _impossible(error)
        return Due(wanted, serving, page, draw(self._secret, "choice", wanted.task_id, wanted.attempt))

    def _attempt(self, due: Due) -> Chosen:
        """Choose for one, or say why nobody can."""
        try:
            return self._choices([due])[0]
        except LearningError as error:
            return _impossible(error)

    def _choices(self, due: Sequence[Due]) -> list[AgentChosen | TaskEnded]:
        return choose_agents(
            due,
            self.control.control,
            to_context=self._library.to_context,
            context_map=self._library.context_map,
            is_live=self._live.serves,
        )


def _impossible(error: LearningError) -> ChoiceImpossible:
    """Say why nobody can be chosen."""
    found = ChoiceImpossible(f"the policy in force cannot choose: {error}")
    found.__cause__ = error
    return found
