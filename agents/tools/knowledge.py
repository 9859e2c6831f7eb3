"""The tool that searches documents, in the domains that the agent is granted."""

from collections.abc import Awaitable, Callable
from typing import Any

from agents.errors import AgentFailed
from agents.pipeline import Toolbox, Work
from agents.pipelines.answer import granted
from agents.tool import Tool

MOST = 20


def knowledge_search(toolbox: Toolbox) -> Tool:
    """Return the tool, on a worker's store of knowledge."""
    return Tool(
        name="knowledge_search",
        description="Finds passages in the documents that were taken in, by meaning and by words.",
        parameters={
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 2_000},
                "most": {"type": "integer", "minimum": 1, "maximum": MOST},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        returns={"type": "object", "properties": {"passages": {"type": "array"}}, "required": ["passages"]},
        run=_searching(toolbox),
    )


def _searching(toolbox: Toolbox) -> Callable[[dict[str, Any], Work], Awaitable[Any]]:
    async def run(arguments: dict[str, Any], work: Work) -> Any:
        """Search the domains that the agent is granted."""
        if toolbox.shelf is None:
            raise AgentFailed("no_knowledge", "this worker has no store of knowledge")
        found = await toolbox.shelf.search(work.tenant, arguments["query"], granted(work), int(arguments.get("most", 5)))
        names = ("domain", "document_id", "version", "chunk", "title", "text", "score")
        return {"passages": [{name: getattr(one, name) for name in names} for one in found]}

    return run
