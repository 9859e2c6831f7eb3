"""Arithmetic: finds the one expression in a question, English or German, and evaluates it exactly."""

import asyncio
from typing import ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.expression import ExpressionRefused, evaluate, shown
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.question import expression_in


class ArithmeticSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Arithmetic:
    """Answers with the exact value of the expression in the task's text; nothing is ever executed."""

    name: ClassVar[str] = "arithmetic"
    Settings: ClassVar[type[Struct]] = ArithmeticSettings

    def __init__(self, _settings: ArithmeticSettings, _toolbox: Toolbox) -> None:
        return

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Find and evaluate the expression.

        Raises:
            AgentFailed: there is not exactly one, or it is not plain arithmetic of a bounded size.
        """
        watch = Stopwatch(timer)
        try:
            with watch.step("find"):
                expression = expression_in(work.text)
            with watch.step("evaluate"):
                value = await asyncio.to_thread(evaluate, expression)
        except ExpressionRefused as error:
            raise AgentFailed("not_arithmetic", str(error)) from error
        return Result({"expression": expression, **shown(value)}, watch.steps)
