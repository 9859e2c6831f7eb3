"""`smolit agent diff`, `history`, `watch` and `new`: versions of agents, and files that become versions."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.difference import Difference, differences
from events.agent import AgentSpec
from events.request import RegisterAgent
from events.topics import DEFAULT_TENANT
from smolit.agent.history import Version, agent_events, history, picked, versions
from smolit.cli import out, spec_file
from smolit.cli.agent import AgentId
from smolit.cli.desk import Desk, open_desk, put_in_force
from smolit.cli.option import Json, Tenant
from smolit.errors import NothingFound, UsageInvalid

Target = Annotated[str, typer.Argument(metavar="FILE|AGENT", help="A spec, or the id of an agent.")]
At = Annotated[str, typer.Option("--at", help="Version to compare with: its number, its label, or the beginning of its digest.")]
Dirs = Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of specs.")]
Rounds = Annotated[int, typer.Option("--rounds", min=0, help="Looks before it ends; 0: until it is interrupted.", hidden=True)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Id of the new agent; its file is NAME.yaml.")]
Made = Annotated[str, typer.Option("--pipeline", help="What does the work.")]
Into = Annotated[Path, typer.Option("--into", help="Folder that the file is put into.")]
_EVERY_S = 0.5


def diff(target: Target, at: At = "", tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show what a file changes of the agent that is registered, or what an agent's last version changed."""
    spec = _spec(Path(target)) if target.endswith(".yaml") or Path(target).is_file() else None
    known = _versions(open_desk(), tenant, spec.id if spec else target)
    before, after = _pair(known, spec, at)
    found = differences(before.spec, after)
    if as_json:
        out.json({"agent": after.id, "from": before.number, "digest": before.digest, "differences": found})
        return
    out.say(f"{after.id}: {len(found)} difference(s) to version {before.number} ({before.digest[:12]})")
    for one in found:
        out.line(_told(one))


def show_history(agent_id: AgentId, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show every version of an agent, oldest first: digest, time, what changed; and what else happened to it."""
    desk = open_desk()
    found = history(asyncio.run(agent_events(desk.endpoints.kafka, desk.names)), tenant, agent_id)
    if not found:
        raise NothingFound(f"no agent {agent_id!r} of tenant {tenant!r} was ever registered")
    if as_json:
        out.json(found)
        return
    columns = ("number", "what", "at", "version", "digest", "changed")
    out.table(
        columns,
        [
            (
                one.number,
                one.what,
                one.at,
                one.version,
                (one.digest or "")[:12],
                one.reason or ", ".join(c.field for c in one.changed),
            )
            for one in found
        ],
    )


def watch(folders: Dirs, tenant: Tenant = DEFAULT_TENANT, rounds: Rounds = 0) -> None:
    """Watch folders of specs: a file that is written becomes a version at once; one with a fault changes nothing."""
    from smolit.agent.watch import Folders  # YAML and every pipeline

    for folder in folders:
        if not folder.is_dir():
            raise UsageInvalid(f"{folder} is no folder")
    desk, watched, looks = open_desk(), Folders(folders), 0
    out.say(f"watching {', '.join(map(str, folders))}")
    while True:
        for changed in watched.look():
            for fault in changed.faults:
                out.line(f"{fault}; the agent stays as it was")
            if changed.spec:
                _revise(desk, tenant, changed.spec)
        looks += 1
        if rounds and looks >= rounds:
            return
        time.sleep(_EVERY_S)


def new(name: Name, pipeline: Made = "steps", into: Into = Path()) -> None:
    """Write the spec of a new agent that can be registered as it is, and say how to try it."""
    from agents.scaffold import scaffold
    from agents.spec import read

    path = into / f"{name}.yaml"
    if path.exists():
        raise UsageInvalid(f"{path} is there already")
    made = scaffold(name, pipeline)
    if faults := read(path.name, made.content.encode()).faults:
        raise UsageInvalid("\n".join(map(str, faults)))
    path.write_text(made.content, encoding="utf-8")
    out.line(str(path))
    out.say(f"smolit agent register {path} && {made.task}")


def _revise(desk: Desk, tenant: str, spec: AgentSpec) -> None:
    """Make a version of a spec that is not in force, and say which."""
    from streams.change import spec_digest

    known = _versions(desk, tenant, spec.id)
    digest = spec_digest(spec)
    if known and known[-1].digest == digest:
        return
    asyncio.run(put_in_force(desk, tenant, RegisterAgent(spec=spec), dry_run=False))
    changed = ", ".join(one.field for one in differences(known[-1].spec, spec)) if known else "new"
    out.line(f"{spec.id}: version {len(known) + 1} ({digest[:12]}): {changed}")


def _versions(desk: Desk, tenant: str, agent_id: str) -> list[Version]:
    return versions(asyncio.run(agent_events(desk.endpoints.kafka, desk.names)), tenant, agent_id)


def _pair(known: Sequence[Version], spec: AgentSpec | None, at: str) -> tuple[Version, AgentSpec]:
    """Return what is compared: the version that was named, or the one before, and what came of it."""
    if not known:
        raise NothingFound("no such agent is registered; there is nothing to compare with")
    if spec is not None:
        return (picked(known, at) if at else known[-1]), spec
    if not at and len(known) == 1:
        raise NothingFound("it has one version; there is nothing to compare it with")
    return (picked(known, at) if at else known[-2]), known[-1].spec


def _spec(path: Path) -> AgentSpec:
    from agents.spec import AGENTS

    return spec_file.only(path, AGENTS)


def _told(one: Difference) -> str:
    return f"{one.field}: {_short(one.before)} -> {_short(one.after)}"


def _short(value: Any) -> str:
    return "(not there)" if value is None else out.cell(value)
