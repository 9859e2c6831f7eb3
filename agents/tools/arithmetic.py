"""Exact arithmetic as a tool."""

import asyncio
from typing import Any

from agents.errors import AgentFailed
from agents.expression import ExpressionRefused, evaluate, shown
from agents.pipeline import Work
from agents.tool import Tool


async def calculate(arguments: dict[str, Any], _work: Work) -> Any:
    """Return the exact value of an expression; nothing is ever executed.

    Raises:
        AgentFailed: it is no arithmetic of a bounded size.
    """
    try:
        value = await asyncio.to_thread(evaluate, arguments["expression"])
    except ExpressionRefused as refusal:
        raise AgentFailed("not_arithmetic", str(refusal)) from refusal
    return shown(value)


TOOLS: tuple[Tool, ...] = (
    Tool(
        "calculator",
        "Exact value of an arithmetic expression of numbers, brackets and + - * / // % **.",
        {
            "type": "object",
            "properties": {"expression": {"type": "string", "maxLength": 500}},
            "required": ["expression"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"value": {"type": "string"}, "exact": {"type": "boolean"}, "decimal": {"type": "string"}},
            "required": ["value", "exact"],
        },
        calculate,
    ),
)
