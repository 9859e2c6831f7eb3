"""Finance: loans, cash flows, prices and portfolios, by a named function or by a question in English or German."""

import asyncio
from typing import Any, ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.finance.menu import call
from agents.finance.number import FinanceRefused
from agents.finance.question import read
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work


class FinanceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Finance:
    """Answers with what one function of finance tells; `input.function` and `input.arguments` go before the text."""

    name: ClassVar[str] = "finance"
    Settings: ClassVar[type[Struct]] = FinanceSettings

    def __init__(self, _settings: FinanceSettings, _toolbox: Toolbox) -> None:
        return

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Read what is asked, and compute it.

        Raises:
            AgentFailed: it is not understood, or has no answer; the reason names which.
        """
        watch = Stopwatch(timer)
        try:
            with watch.step("read"):
                function, arguments = asked(work)
            with watch.step("compute"):
                told = await asyncio.to_thread(call, function, arguments)
        except FinanceRefused as refusal:
            raise AgentFailed(refusal.code, str(refusal)) from refusal
        return Result({"function": function, "arguments": arguments, "result": told}, watch.steps)


def asked(work: Work) -> tuple[Any, Any]:
    """Return the function and its arguments."""
    if "function" in work.input:
        return work.input["function"], work.input.get("arguments", {})
    return read(work.text)
