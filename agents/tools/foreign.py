"""Tools of outside servers, by the Model Context Protocol: named `server/tool`, granted one by one, and trusted with nothing.

What a server says of its tools is data: descriptions are cut and marked, schemas are made harmless, and a tool counts as one
that changes something unless the operator's file says otherwise. Then the spec has to allow the value of every argument.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO

from msgspec.structs import replace

from agents.consent import Reach
from agents.contain.plan import command_of
from agents.errors import AgentError, AgentFailed
from agents.pipeline import Work
from agents.tool import Tool
from agents.tool_server import ToolServer
from agents.tools.pins import changed, digest_of_tool
from agents.tools.schema import harmless
from agents.web.blot import blotted

if TYPE_CHECKING:
    from mcp import Client

_MOST_PAGES = 10
_MOST_TOOLS = 500
_MOST_DESCRIBED = 1_000
_START_S = 20.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


@asynccontextmanager
async def connected(servers: Mapping[str, ToolServer], wanted: Collection[str] | None) -> AsyncIterator[dict[str, Tool]]:
    """Yield the tools of those servers of which any is wanted (None: all), while they are connected.

    Raises:
        AgentFailed: a server that is needed does not answer, or a tool that is wanted is not as it was when it was pinned.
    """
    failure: AgentError | None = None
    async with AsyncExitStack() as stack:
        tools: dict[str, Tool] = {}
        for name, server in sorted(servers.items()):
            if wanted is None or any(one.startswith(f"{name}/") for one in wanted):
                tools |= await _opened(name, server, stack)
        try:
            _check_unchanged([tools[name] for name in sorted(tools.keys() & set(wanted or ()))])
            yield {name: tool for name, tool in tools.items() if wanted is None or name in wanted}
        except AgentError as error:
            failure = error  # raised in here, the SDK would make a group of it
    if failure is not None:
        raise failure


def _check_unchanged(tools: Sequence[Tool]) -> None:
    """Refuse tools that are not what they were when somebody looked at them; raises AgentFailed."""
    if worse := [f"{one.name}: {one.changed}" for one in tools if one.changed]:
        raise AgentFailed("tool_changed", f"{'; '.join(worse)}; `smolit tool show` shows it, `smolit tool pin` takes it as it is")


async def _opened(name: str, server: ToolServer, stack: AsyncExitStack) -> dict[str, Tool]:
    """Connect to a server and return its tools."""
    from anyio import ClosedResourceError
    from mcp import MCPError

    errors = stack.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115 what it complains of; the plan limits how much
    try:
        async with asyncio.timeout(_START_S):
            client = await stack.enter_async_context(await _client(server, stack, errors))
            return {tool.name: tool for tool in await _tools(name, server, client)}
    except (OSError, TimeoutError, MCPError, ClosedResourceError, ValueError, ExceptionGroup) as error:
        if why := _uncontained(errors):
            told = f"the tool server {name} cannot be contained, so it was not started: {why}"
            raise AgentFailed("uncontained", told) from error
        raise AgentFailed(
            "tool_server_unavailable", f"the tool server {name} does not answer ({type(error).__name__})"
        ) from error


def _uncontained(errors: TextIO) -> str:
    """Return why a server was not started; empty: it was."""
    errors.seek(0)
    first = errors.read(500)
    return first.partition("\n")[0].removeprefix("uncontained: ") if first.startswith("uncontained: ") else ""


async def _client(server: ToolServer, stack: AsyncExitStack, errors: TextIO) -> "Client":
    """Return a client of a server: a process of ours that gets no variable but those named, or an address."""
    from mcp import Client, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.url is not None:
        import httpx2  # the SDK's own client; a proxy of the environment does not come between

        http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=server.timeout_s))
        return Client(streamable_http_client(server.url, http_client=http), read_timeout_seconds=server.timeout_s, cache=None)
    command, *arguments = command_of(server) if server.contain else server.command
    parameters = StdioServerParameters(command=command, args=arguments, env=dict(server.values))
    return Client(stdio_client(parameters, errlog=errors), read_timeout_seconds=server.timeout_s, cache=None)


async def _tools(name: str, server: ToolServer, client: "Client") -> list[Tool]:
    """Return what a server offers, as tools of ours; what has no plain name is left out."""
    found: list[Tool] = []
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [_tool(name, server, client, one) for one in page.tools if _NAME.fullmatch(one.name)]
        cursor = page.next_cursor
        if cursor is None or len(found) >= _MOST_TOOLS:
            break
    wrong = changed(server.pins, {one.name.partition("/")[2]: one.digest for one in found})
    return [replace(one, changed=wrong.get(one.name.partition("/")[2], "")) for one in found[:_MOST_TOOLS]]


def _tool(name: str, server: ToolServer, client: "Client", offered: Any) -> Tool:
    """Return a tool of ours that asks the server."""
    schema = closed(offered.input_schema)
    effect: Reach = "read" if offered.name in server.read_only else "outside"

    async def run(arguments: dict[str, Any], _work: Work) -> Any:
        return await _called(client, offered.name, arguments, server.values.values())

    return Tool(
        name=f"{name}/{offered.name}",
        description=_CONTROL.sub(" ", offered.description or "")[:_MOST_DESCRIBED],
        parameters=schema,
        returns={},
        run=run,
        effect=effect,
        targets=tuple(sorted(schema["properties"])) if effect == "outside" else (),
        foreign=True,
        digest=digest_of_tool(offered.name, offered.description, offered.input_schema),
    )


def closed(schema: Any) -> dict[str, Any]:
    """Return a stranger's schema of arguments, made harmless, with no argument but those that it names."""
    made = harmless(schema)
    made = made if isinstance(made, dict) else {}
    properties = made.get("properties")
    return {
        **made,
        "type": "object",
        "properties": properties if isinstance(properties, dict) else {},
        "additionalProperties": False,
    }


async def _called(client: "Client", name: str, arguments: dict[str, Any], secrets: Collection[str]) -> Any:
    """Call a tool; what it repeats of its own secrets is hidden. Raises AgentFailed."""
    from mcp import MCPError

    try:
        result = await client.call_tool(name, arguments)
    except (MCPError, TimeoutError, ValueError, RuntimeError) as error:
        raise AgentFailed("tool_failed", blotted(f"{name} did not answer: {error}", secrets)[:1_000]) from None
    text = str(blotted("\n".join(one.text for one in result.content if one.type == "text"), secrets))
    if result.is_error:
        raise AgentFailed("tool_failed", text[:2_000] or f"{name} failed")
    return {"text": text} if result.structured_content is None else blotted(result.structured_content, secrets)
