"""Asking a language model so that whoever watches sees the answer grow: pieces go to them, and the answer comes back whole."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing

from agents.errors import AgentFailed
from agents.port import Ask, Language, Said

Tell = Callable[[str], None]
Telling = Callable[[], AbstractAsyncContextManager[Tell | None]]  # opened anew for each telling; None: nobody watches


async def said(language: Language, ask: Ask, telling: Telling | None) -> Said:
    """Return what a model says; whoever watches is told the pieces. One that broke off is asked for once more, whole.

    Raises:
        AgentFailed: nobody answered by the deadline, or a budget does not allow the call.
    """
    if telling is None:
        return await language.complete(ask)
    try:
        async with telling() as tell:
            if tell is None:
                return await language.complete(ask)
            async with aclosing(language.stream(ask)) as parts:
                async for part in parts:
                    if isinstance(part, Said):
                        return part
                    tell(part)
    except AgentFailed as error:
        if error.reason != "answer_broke_off":
            raise
    return await language.complete(ask)
