"""A calculator: exact arithmetic over an expression that is parsed and never executed."""

import asyncio
from typing import Any

from agents.errors import AgentFailed
from agents.expression import MOST_CHARS, ExpressionRefused, evaluate, shown
from agents.pipeline import Work
from agents.tool import Tool


async def calculate(arguments: dict[str, Any], _work: Work) -> dict[str, Any]:
    """Return the value of `expression`.

    Raises:
        AgentFailed: it is no plain arithmetic of a bounded size.
    """
    try:
        return dict(shown(await asyncio.to_thread(evaluate, arguments["expression"])))
    except ExpressionRefused as error:
        raise AgentFailed("not_arithmetic", str(error)) from error


TOOLS: tuple[Tool, ...] = (
    Tool(
        name="calculator",
        description="Exact value of an expression of numbers, brackets and + - * / // % **.",
        parameters={
            "type": "object",
            "properties": {"expression": {"type": "string", "minLength": 1, "maxLength": MOST_CHARS}},
            "required": ["expression"],
            "additionalProperties": False,
        },
        returns={
            "type": "object",
            "properties": {"value": {"type": "string"}, "decimal": {"type": "string"}, "exact": {"type": "boolean"}},
            "required": ["value", "exact"],
            "additionalProperties": False,
        },
        run=calculate,
    ),
)
