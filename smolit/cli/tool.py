"""`smolit tool`: what agents may be granted, and a call by hand under the same checks."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from smolit import tool_servers
from smolit.cli import out, spec_file
from smolit.cli.option import DryRun, Json, json_object
from smolit.errors import CheckFailed, NothingFound, UsageInvalid

ToolName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a tool.")]
ServerName = Annotated[str, typer.Argument(metavar="SERVER", help="Name of a server in SMOLIT_TOOL_SERVERS.")]
Arguments = Annotated[str, typer.Option("--arguments", metavar="JSON", help="Arguments of the call, as an object.")]
SpecFile = Annotated[
    Path | None,
    typer.Option("--agent", metavar="SPEC", help="Call it as this agent may: with the grants and targets of its spec."),
]


def list_tools(as_json: Json = False) -> None:
    """List the tools that agents of this house may be granted."""
    found = [_shown(tool) for tool in _with_tools(_all)]
    if as_json:
        out.json(found)
        return
    out.table(("tool", "effect", "description"), [(one["name"], one["effect"], one["description"]) for one in found])


def show(name: ToolName, as_json: Json = False) -> None:
    """Show one tool: what it takes, and what it returns."""
    found = next((_shown(tool) for tool in _with_tools(_all) if tool.name == name), None)
    if found is None:
        raise NothingFound(f"no tool is called {name!r}; `smolit tool list` prints them")
    if as_json:
        out.json(found)
        return
    out.facts(found)


def pin(name: ServerName, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Take the tools of an outside server as they describe themselves now; one that changes later is not offered."""
    from smolit.settings import load_settings

    path = load_settings().tool_servers
    if path is None:
        raise UsageInvalid("SMOLIT_TOOL_SERVERS names no file of servers")
    found = [tool for tool in _with_tools(_all) if tool.name.startswith(f"{name}/")]
    if not found:
        raise NothingFound(f"no server {name!r} offers a tool; `smolit tool list` prints those there are")
    told = [{"tool": one.name, "was": one.changed or "as before", "description": one.description} for one in found]
    if as_json:
        out.json(told)
    else:
        out.table(("tool", "was", "description"), [tuple(one.values()) for one in told])
    if dry_run:
        return
    tool_servers.pin(path, name, {one.name.partition("/")[2]: one.digest for one in found})
    out.say(f"{len(found)} tool(s) of {name} are pinned; workers know when they start anew")


def call(name: ToolName, arguments: Arguments = "{}", agent: SpecFile = None, as_json: Json = False) -> None:
    """Call a tool here, under the checks that agents have; without --agent you allow what you type."""
    given = json_object(arguments, "--arguments")
    seen, step = _with_tools(lambda toolbox: _call(toolbox, name, given, agent))
    if as_json:
        out.json({"call": seen, "step": step})
    elif seen.refused is None:
        out.line(seen.data if isinstance(seen.data, str) else msgspec.json.encode(seen.data).decode())
    if seen.refused is not None:
        raise CheckFailed(f"{seen.refused}: {seen.detail}")


async def _all(toolbox: Any) -> list[Any]:
    """Return every tool, those of outside servers, too."""
    from agents.tools.catalog import opened

    async with opened(toolbox, None) as tools:
        return [tools[name] for name in sorted(tools)]


async def _call(toolbox: Any, name: str, given: Any, path: Path | None) -> tuple[Any, Any]:
    """Return what came of the call, and its step."""
    from agents.pipeline import Work, utc_now
    from agents.tools.call import Caller, Grant
    from agents.tools.catalog import opened

    spec = _spec(path) if path is not None else None
    async with opened(toolbox, {name} if spec is None else {*spec.tools}) as tools:
        tool = tools.get(name)
        if spec is not None:
            grant = Grant(
                frozenset(spec.tools), msgspec.convert(spec.settings.get("targets", {}), dict[str, dict[str, tuple[str, ...]]])
            )
        else:  # whoever types a command is the operator: what was typed is allowed
            mine = {target: (given[target],) for target in (tool.targets if tool else ()) if isinstance(given.get(target), str)}
            grant = Grant(frozenset({name}), {name: mine})
        work = Work("default", "by-hand", 1, spec.id if spec else "operator", None, "", {}, utc_now(), spec=spec)
        caller = Caller(tools, grant, work, _ByHand(), time.monotonic)
        seen = await caller.call(name, given)
        return seen, caller.steps[-1]


class _ByHand:
    """No ledger: whoever calls by hand sees what happened, and no crash repeats it."""

    async def once(self, _effect: Any, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        return await call("by-hand")


def _spec(path: Path) -> Any:
    """Return the spec in a file; raises CheckFailed with every fault."""
    from agents.spec import AGENTS

    return spec_file.only(path, AGENTS)


def _with_tools(ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run something with the tools of this house, without a running stack."""
    return asyncio.run(_asked(ask))


async def _asked(ask: Callable[[Any], Awaitable[Any]]) -> Any:
    from smolit.process.parts.worker import toolbox_of
    from smolit.process.ports import Ports
    from smolit.settings import load_settings

    async with Ports().http(()) as http:
        return await ask(toolbox_of(load_settings(), Ports(), http))


def _shown(tool: Any) -> dict[str, Any]:
    """Return what there is to say of a tool."""
    return {name: getattr(tool, name) for name in type(tool).__struct_fields__ if name != "run"}
