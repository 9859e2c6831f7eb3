"""Language models of tests that have no pieces: `stream` gives the answer at once."""

from collections.abc import AsyncGenerator

from agents.port import Ask, Said


class Whole:
    """A language model that answers in one piece; what it answers is the subclass's."""

    async def complete(self, ask: Ask) -> Said:
        """Answer."""
        raise NotImplementedError

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Said, None]:
        """Yield the answer."""
        yield await self.complete(ask)
