"""The table of contents: every tool, listed once."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from agents.pipeline import Toolbox
from agents.tool import Tool
from agents.tools import arithmetic, code, finance, house, table
from agents.tools.foreign import connected

# Tools that need nothing but their arguments.
TOOLS: tuple[Tool, ...] = (*arithmetic.TOOLS, *code.TOOLS, *finance.TOOLS)

# All names there can be in a house; tools of servers outside have a "/" in theirs, and only those servers know them.
NAMES = frozenset({*(tool.name for tool in TOOLS), "table_sql", "now", "http_get", "knowledge_search"})


@asynccontextmanager
async def opened(toolbox: Toolbox, wanted: Collection[str] | None) -> AsyncIterator[dict[str, Tool]]:
    """Yield the tools that this house can offer, by name; `wanted` None: all of them.

    Which of them an agent may call is said by its spec. Servers of foreign tools are started only for tools of theirs.
    """
    own = {tool.name: tool for tool in (*TOOLS, *table.tools(toolbox.blobs), *house.tools_of(toolbox))}
    async with connected(toolbox.servers, wanted) as foreign:
        yield foreign | {name: tool for name, tool in own.items() if wanted is None or name in wanted}
