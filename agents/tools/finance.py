"""Finance as tools: one for each function of `agents/finance/menu.py`."""

import asyncio
from typing import Any

from agents.errors import AgentFailed
from agents.finance.menu import FUNCTIONS, Function, call
from agents.finance.number import FinanceRefused
from agents.pipeline import Work
from agents.tool import Tool


def tool(function: Function) -> Tool:
    """Return a function of finance as a tool."""

    async def run(arguments: dict[str, Any], _work: Work) -> Any:
        try:
            return await asyncio.to_thread(call, function.name, arguments)
        except FinanceRefused as refusal:
            raise AgentFailed(refusal.code, str(refusal)) from refusal

    return Tool(f"finance_{function.name}", function.says, function.parameters, {"type": "object"}, run)


TOOLS: tuple[Tool, ...] = tuple(map(tool, FUNCTIONS))
