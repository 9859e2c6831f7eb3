"""Our agents as a server of tools (Model Context Protocol): each agent is one tool, a call is a task that is waited for."""

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from events.answer import AnswerGiven, RequestRefused

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.types import CallToolResult, Tool

ACTIVE = "active"


class Offered(Struct, frozen=True):
    """An agent as a tool: its id, a skill of its own, what it says of itself, and the schema of `input` (None: any object)."""

    agent: str
    kind: str
    description: str
    inputs: dict[str, Any] | None


Listed = Callable[[], Awaitable[Sequence[Offered]]]
Done = Callable[[Offered, str, dict[str, Any]], Awaitable[AnswerGiven | RequestRefused | None]]


def server(listed: Listed, do: Done) -> "Server[Any]":
    """Return a server; `do` gets agent, text and input, and returns the answer (None: not in time)."""
    from mcp.server import Server
    from mcp.types import CallToolRequestParams, ListToolsResult

    async def on_list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[tool_of(one) for one in await listed()])

    async def on_call_tool(_context: Any, params: CallToolRequestParams) -> "CallToolResult":
        given = params.arguments or {}
        offered = next((one for one in await listed() if one.agent == params.name), None)
        if offered is None:
            return _told(f"no agent is called {params.name!r}", failed=True)
        text, inputs = given.get("text", ""), given.get("input", {})
        if not isinstance(text, str) or not isinstance(inputs, dict):
            return _told("`text` must be a text, and `input` an object", failed=True)
        return result_of(await do(offered, text, inputs))

    return Server("smolit", version=version("smolit"), on_list_tools=on_list_tools, on_call_tool=on_call_tool)


def tool_of(offered: Offered) -> "Tool":
    """Return an agent as a tool."""
    from mcp.types import Tool

    schema = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What is to be done, in words."},
            "input": offered.inputs or {"type": "object", "description": "What the agent is given besides."},
        },
        "additionalProperties": False,
    }
    return Tool(name=offered.agent, description=offered.description, input_schema=schema)


def result_of(answer: AnswerGiven | RequestRefused | None) -> "CallToolResult":
    """Return what a caller hears of an answer; the task's id is with it, so that `smolit task show` finds it."""
    if answer is None:
        return _told("there was no answer in time; the task goes on, and `smolit task list` shows it", failed=True)
    if isinstance(answer, RequestRefused):
        return _told(f"refused: {answer.detail} ({answer.reason})", failed=True)
    if answer.outcome != "completed":
        return _told(f"{answer.outcome}: {answer.detail or answer.reason} (task {answer.task_id})", failed=True)
    output = msgspec.to_builtins(answer.output)
    text = output if isinstance(output, str) else msgspec.json.encode(output).decode()
    return _told(text, structured={"task_id": answer.task_id, "agent": answer.agent, "output": output})


def _told(text: str, failed: bool = False, structured: dict[str, Any] | None = None) -> "CallToolResult":
    """Return a result that says this."""
    from mcp.types import CallToolResult, TextContent

    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured, is_error=failed)
