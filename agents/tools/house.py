"""Tools that ask something of the house: its clock, its knowledge."""

from typing import Any

from agents.errors import AgentFailed
from agents.pipeline import Clock, Toolbox, Work
from agents.port import Shelf
from agents.tool import Tool

_NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_SEARCH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 1_000},
        "most": {"type": "integer", "minimum": 1, "maximum": 10},
    },
    "required": ["query"],
    "additionalProperties": False,
}
_PASSAGES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "passages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("domain", "document", "title", "text")}
                | {"version": {"type": "integer"}, "chunk": {"type": "integer"}, "score": {"type": "number"}},
                "required": ["document", "text"],
            },
        }
    },
    "required": ["passages"],
    "additionalProperties": False,
}


def tools_of(toolbox: Toolbox) -> tuple[Tool, ...]:
    """Return the tools that this house has; without knowledge there is no search."""
    found = [_now(toolbox.clock)]
    if toolbox.shelf is not None:
        found.append(_search(toolbox.shelf))
    return tuple(found)


def _now(clock: Clock) -> Tool:
    """Return what tells the time."""

    async def now(_arguments: dict[str, Any], _work: Work) -> dict[str, Any]:
        moment = clock()
        return {"time": moment.isoformat(timespec="seconds"), "date": moment.date().isoformat(), "weekday": f"{moment:%A}"}

    texts = {name: {"type": "string"} for name in ("time", "date", "weekday")}
    returns = {"type": "object", "properties": texts, "required": sorted(texts), "additionalProperties": False}
    return Tool("now", "The time, the date and the day of the week, in UTC.", _NOTHING, returns, now)


def _search(shelf: Shelf) -> Tool:
    """Return what looks into the domains of knowledge that the agent may read."""

    async def search(arguments: dict[str, Any], work: Work) -> dict[str, Any]:
        domains = work.spec.knowledge if work.spec else ()
        if not domains:
            raise AgentFailed("no_knowledge", f"the spec of {work.agent} names no domain of knowledge")
        found = await shelf.search(work.tenant, arguments["query"], domains, arguments.get("most", 5))
        return {
            "passages": [
                {
                    "domain": one.domain,
                    "document": one.document_id,
                    "version": one.version,
                    "chunk": one.chunk,
                    "title": one.title,
                    "text": one.text,
                    "score": one.score,
                }
                for one in found
            ]
        }

    told = "Passages of the knowledge that this agent may read, best first."
    return Tool("search_knowledge", told, _SEARCH, _PASSAGES, search)
