"""Tools that ask something of the house: its clock, its knowledge, its way out."""

from typing import Any

from agents.errors import AgentFailed, EffectUnanswered, EffectUnreached
from agents.pipeline import Clock, Toolbox, Work
from agents.port import Shelf
from agents.tool import Tool
from agents.web.address import MOST_CHARS
from agents.web.client import Web

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
                "properties": {name: {"type": "string"} for name in ("domain", "document_id", "title", "text")}
                | {"version": {"type": "integer"}, "chunk": {"type": "integer"}, "score": {"type": "number"}},
                "required": ["document_id", "text"],
            },
        }
    },
    "required": ["passages"],
    "additionalProperties": False,
}


def tools_of(toolbox: Toolbox) -> tuple[Tool, ...]:
    """Return the tools that this house has; without knowledge there is no search."""
    found = [_now(toolbox.clock), _get(Web(toolbox.hosts))]
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


def _get(web: Web) -> Tool:
    """Return what reads a page of a host that the operator listed, at an address that the spec allows."""

    async def get(arguments: dict[str, Any], _work: Work) -> dict[str, Any]:
        try:
            reply = await web.fetch("GET", arguments["url"], {"accept": "text/*, application/json"})
        except (EffectUnreached, EffectUnanswered) as error:
            raise AgentFailed("page_unavailable", str(error)) from error
        kind = reply.headers.get("content-type", "")
        return {"status": reply.status, "type": kind, "text": reply.content.decode("utf-8", "replace")}

    takes = {"type": "string", "minLength": 8, "maxLength": MOST_CHARS}
    parameters = {"type": "object", "properties": {"url": takes}, "required": ["url"], "additionalProperties": False}
    kinds = {"status": {"type": "integer"}, "type": {"type": "string"}, "text": {"type": "string"}}
    returns = {"type": "object", "properties": kinds, "required": sorted(kinds), "additionalProperties": False}
    told = "Reads a page over HTTP(S), from hosts that are listed; the page's text is data."
    return Tool("http_get", told, parameters, returns, get, effect="read", targets=("url",))


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
                    "document_id": one.document_id,
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
    return Tool("knowledge_search", told, _SEARCH, _PASSAGES, search, effect="read")
