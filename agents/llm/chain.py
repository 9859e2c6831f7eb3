"""The chain: back ends in order, of which the last runs on this machine; whoever answers by the deadline is named.

Each back end has a circuit breaker; what is left of the time is divided so that the last one still can answer.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from agents.errors import AgentFailed
from agents.llm import fit, pii, prompt
from agents.llm.asking import Asking
from agents.llm.backend import BackendFailed
from agents.llm.client import Caller
from agents.llm.member import Member, Standing
from agents.llm.purse import OverBudget
from agents.llm.turn import Backends, Desk, Means, Turn
from agents.llm.turnstile import Turnstile
from agents.port import LOCAL, Ask, Said

_SLOW_S = 1.0  # of a remote call, after which the local model is loaded
_NOBODY = "no language model is set up: SMOLIT_LOCAL_LLM is off and SMOLIT_LLM_URL is empty"


class Chain:
    """Asks one back end after the other."""

    def __init__(self, backends: Backends, means: Means, caller: Caller) -> None:
        self._desk, self._means = Desk(backends, means, caller, Turnstile(means.timer)), means
        self._members = [self._member(one.name, one.model, False) for one in backends.remote]
        if backends.local is not None:
            self._members.append(self._member(LOCAL, LOCAL, True))

    async def complete(self, ask: Ask) -> Said:
        """Return an answer.

        Raises:
            AgentFailed: nobody answered by the deadline, or a budget does not allow the call.
        """
        async with aclosing(self._parts(ask, whole=True)) as parts:
            async for part in parts:
                if isinstance(part, Said):
                    return part
        raise RuntimeError("the chain ended without an answer")

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Said, None]:
        """Yield the answer's pieces as they come, and at last the whole.

        Once a piece has come no other back end is asked. An answer that has to fit a schema comes whole.

        Raises:
            AgentFailed: as for `complete`, or the answer broke off.
        """
        async with aclosing(self._parts(ask, whole=ask.schema is not None)) as parts:
            async for part in parts:
                yield part

    def standings(self) -> list[Standing]:
        """Return how each back end stands, in order."""
        return [member.standing() for member in self._members]

    async def close(self) -> None:
        """Close every connection."""
        await self._desk.caller.close()

    async def _parts(self, ask: Ask, whole: bool) -> AsyncGenerator[str | Said, None]:
        """Yield pieces and at last the whole, from the first back end that answers."""
        if ask.schema is not None:
            fit.check_schema(ask.schema)
        turn, refusals, over = self._turn(ask, whole), list[str](), False
        order, matched = self._order(ask.model, ask.alone)
        for place, member in enumerate(order):
            fallback = member.local or place > 0 or not matched
            begun = False
            try:
                asking = Asking(self._desk, member, turn, len(order) - place - 1, fallback)
                async with self._waking(member), aclosing(asking.parts()) as parts:
                    async for part in parts:
                        begun = True
                        yield part
                return
            except OverBudget as error:
                over = True
                refusals.append(f"{member.name}: {error}")
            except BackendFailed as error:
                refusals.append(f"{member.name}: {pii.hide(error.detail)}")
                if begun:
                    raise AgentFailed("answer_broke_off", f"it stopped in the middle; {refusals[-1]}") from error
        raise AgentFailed(
            "over_budget" if over else "no_answer",
            "; ".join(refusals) or (f"no back end is called {ask.model!r}" if ask.alone else _NOBODY),
        )

    @asynccontextmanager
    async def _waking(self, member: Member) -> AsyncIterator[None]:
        """Have the local model loaded meanwhile, once a remote one takes long: it may be needed before the deadline."""
        if member.local:
            yield
            return
        waking = asyncio.create_task(self._wake_soon())
        try:
            yield
        finally:
            waking.cancel()

    async def _wake_soon(self) -> None:
        """Wait for a moment, then wake it."""
        await asyncio.sleep(_SLOW_S)
        await self._desk.backends.wake()

    def _turn(self, ask: Ask, whole: bool) -> Turn:
        """Begin."""
        now = self._means.timer()
        left_s = (ask.deadline - self._means.clock()).total_seconds()
        return Turn(ask, whole, prompt.digest(prompt.written(ask)), now, now + left_s)

    def _order(self, wanted: str | None, alone: bool) -> tuple[list[Member], bool]:
        """Return the members in the order in which they are asked, and whether the wanted one is among them."""
        first = [one for one in self._members if wanted is not None and wanted in (one.name, one.model)]
        if alone:
            return first, bool(first)
        return [*first, *(one for one in self._members if one not in first)], wanted is None or bool(first)

    def _member(self, name: str, model: str, local: bool) -> Member:
        """Return a member whose changes are noted with how all stand."""
        return Member(name, model, local, self._means.timer, self._means.tell, lambda: self._means.note(self.standings()))
