"""`smolit plan`: how tasks were split, what is known of each step, and whether that follows from the log."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from events.event import Event, Fact
from events.task import AttemptEnded
from events.topics import ANSWERS, DEFAULT_TENANT, TASKS
from projections.plan import PlanRow, StepRow, plans, plans_of, steps_of
from smolit.audit.plans import Refolded, Split, parts_of, refold, splits
from smolit.cli import out, spec_file
from smolit.cli.desk import Desk, open_desk, read
from smolit.cli.option import Json, Limit, TaskIdArgument, Tenant
from smolit.client import ends, events_in, places_of, reading
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from store import blob
from store.postgres import Connection

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML files of shapes, or folders of them.")]


def list_plans(limit: Limit = 20, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List split tasks, newest first."""
    found = read(open_desk(), lambda connection: plans(connection, tenant, limit))
    if as_json:
        out.json(found)
        return
    rows = [
        (one.task_id, one.name, one.outcome or "open", one.completed, one.failed, one.skipped, one.cost_microusd, one.made_at)
        for one in found
    ]
    out.table(("task", "plan", "outcome", "completed", "failed", "skipped", "microusd", "made"), rows)


def show(task_id: TaskIdArgument, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show how a task was split: each step, who did it, what it cost, and how several answers were settled."""
    found = read(open_desk(), lambda connection: _whole(connection, tenant, task_id))
    if not found["plans"]:
        raise NothingFound(f"task {task_id!r} of tenant {tenant!r} was not split (as far as is known yet)")
    if as_json:
        out.json(found)
        return
    for plan in found["plans"]:
        _show(plan, [step for step in found["steps"] if step.attempt == plan.attempt])


def lint(files: Files) -> None:
    """Check shapes of plans; every fault is told with its file and line, a circle with its path."""
    from agents.team.shape import SUFFIX
    from agents.team.shape import read as read_shape  # YAML: only this command needs it

    paths = [one for path in files for one in (sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path])]
    if missing := [path for path in paths if not path.is_file()]:
        raise UsageInvalid(f"{missing[0]} is neither a file nor a folder")
    spec_file.tell([fault for path in paths for fault in read_shape(path.name, path.read_bytes()).faults], "plan", len(paths))


def verify(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Fold every plan again from the log, and compare each of its facts; nobody is called."""
    found = asyncio.run(_verified(open_desk(), tenant))
    if as_json:
        out.json(found)
    bad = [one for one in found if one.differences]
    for one in bad if not as_json else ():
        for difference in one.differences:
            out.line(f"{one.task_id}/{one.attempt}: {difference}")
    if bad:
        raise CheckFailed(f"{len(bad)} of {len(found)} plan(s) do not follow from the log")
    out.say(f"{len(found)} plan(s) folded again, {sum(one.facts for one in found)} facts, all as in the log")


async def _whole(connection: Connection, tenant: str, task_id: str) -> dict[str, Any]:
    return {"plans": await plans_of(connection, tenant, task_id), "steps": await steps_of(connection, tenant, task_id)}


def _show(plan: PlanRow, steps: list[StepRow]) -> None:
    """Write one plan for people."""
    hidden = {"plan", "task_id"}
    out.facts({"task": plan.task_id, **{name: getattr(plan, name) for name in PlanRow.__struct_fields__ if name not in hidden}})
    rows = [
        (
            one.step,
            one.kind,
            one.outcome or "open",
            ", ".join(one.agents or ()),
            one.cost_microusd,
            _ms(one.duration_us),
            _why(one),
        )
        for one in steps
    ]
    out.table(("step", "kind", "outcome", "agents", "microusd", "took", "remarks"), rows)
    begun = {one.step for one in steps}
    waiting = [step["id"] for step in (plan.plan or {}).get("steps", ()) if step["id"] not in begun]
    if waiting:
        out.say(f"not begun: {', '.join(waiting)}")
    out.say(f"`smolit events trace {plan.task_id}` shows what followed from what")


def _why(step: StepRow) -> str:
    """Say what is remarkable about a step: why it failed, or how its answers were settled."""
    if step.rule is not None:
        said = "; ".join(step.conflicts or ()) or "they agree"
        return f"{step.rule}: {said}" if step.settled else f"open ({step.rule}): {said}"
    return step.detail or step.reason or ""


def _ms(duration_us: int | None) -> str | None:
    return None if duration_us is None else f"{duration_us / 1000:.1f} ms"


async def _verified(desk: Desk, tenant: str) -> list[Refolded]:
    """Return every plan of a tenant, folded again."""
    found = splits([event for event in await _log(desk) if event.fact.tenant == tenant])
    async with desk.reading() as connection:
        return [await _again(connection, one) for one in found]


async def _again(connection: Connection, split: Split) -> Refolded:
    """Fold one plan again, with long texts and outputs from the blob store."""
    task = split.task
    text = task.text if task.text is not None else (await blob.get(connection, task.text_sha256)).decode("utf-8", "replace")
    outputs: dict[str, Any] = {}
    for part, event in split.told:
        fact = event.fact
        if part in parts_of(split) and isinstance(fact, AttemptEnded) and fact.outcome == "completed" and part not in outputs:
            sha256 = fact.output_sha256
            outputs[part] = fact.output if sha256 is None else msgspec.json.decode(await blob.get(connection, sha256))
    return refold(split, text, outputs)


async def _log(desk: Desk) -> list[Event[Fact]]:
    """Return every fact about tasks and every answer that the log holds now."""
    last = await ends(desk.endpoints.kafka, places_of(desk.names, (TASKS, ANSWERS)))
    behind = {place: end for place, end in last.items() if end}
    found: list[Event[Fact]] = []
    async with reading(desk.endpoints.kafka, dict.fromkeys(behind, 0)) as reader:
        while behind:
            records = await reader.fetch(2_000)
            found += [Event(event.envelope, event.fact) for event in events_in(records) if isinstance(event.fact, Fact)]
            behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    return found
