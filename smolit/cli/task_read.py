"""`smolit task show`, `list` and `watch`: where tasks stand."""

import asyncio
from typing import Annotated, Any

import typer

from events.topics import DEFAULT_TENANT
from projections.attempt import attempts_of
from projections.decision import decisions_of
from projections.event_log import EventRow, story
from projections.example import examples_of
from projections.feedback import feedback_on
from projections.plan import above, steps_of
from projections.task import TaskRow, task, tasks
from smolit.cli import answer, out
from smolit.cli.desk import open_desk, read
from smolit.cli.explain_model import choices_in
from smolit.cli.option import Json, Limit, TaskIdArgument, Tenant
from smolit.cli.words import words
from smolit.errors import NothingFound
from store import approval
from store.postgres import Connection

_POLL_S = 0.2
State = Annotated[str | None, typer.Option("--state", help="Only tasks in this state, such as running or failed.")]


def show(task_id: TaskIdArgument, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show one task: what was asked, who did it, what came out, what people thought of it."""
    found = read(open_desk(), lambda connection: _whole(connection, tenant, task_id))
    if as_json:
        out.json(found)
    else:
        _show(found)


def output(task_id: TaskIdArgument, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Print what a task brought, whole, however long it is."""
    found = read(open_desk(), lambda connection: _output(connection, tenant, task_id))
    if as_json:
        out.json(found)
    else:
        answer.show(found)


def list_tasks(state: State = None, limit: Limit = 20, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List tasks, newest first."""
    found = read(open_desk(), lambda connection: tasks(connection, tenant, state=state, limit=limit))
    if as_json:
        out.json(found)
        return
    rows = [(one.task_id, one.state, one.agent, one.kind, one.submitted_at, (one.text or "")[:60]) for one in found]
    out.table(("task", "state", "agent", "kind", "submitted", "text"), rows)


def watch(task_id: TaskIdArgument, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Follow one task until it has ended."""
    read(open_desk(), lambda connection: _watch(connection, tenant, task_id, as_json))


async def known(connection: Connection, tenant: str, task_id: str) -> TaskRow:
    """Return a task; raises NothingFound."""
    found = await task(connection, tenant, task_id)
    if found is None:
        raise NothingFound(f"no task {task_id!r} of tenant {tenant!r} is known (yet)")
    return found


async def _output(connection: Connection, tenant: str, task_id: str) -> Any:
    """Return the output of the attempt that completed a task; raises NothingFound."""
    row = await known(connection, tenant, task_id)
    done = [one for one in await attempts_of(connection, task_id) if one.outcome == "completed"]
    if not done:
        raise NothingFound(f"task {task_id} has brought nothing: it is {row.state}")
    return await answer.whole(connection, done[-1].output, done[-1].output_sha256)


async def _whole(connection: Connection, tenant: str, task_id: str) -> dict[str, Any]:
    """Return all that the read models know of a task."""
    return {
        "task": await known(connection, tenant, task_id),
        "decisions": await decisions_of(connection, task_id),
        "attempts": await attempts_of(connection, task_id),
        "feedback": await feedback_on(connection, tenant, task_id),
        "examples": await examples_of(connection, task_id),
        "steps": await steps_of(connection, tenant, task_id),
        "part_of": await above(connection, tenant, task_id),
        "approvals": await approval.listed(connection, tenant, None, task_id, 100),
    }


def _show(found: dict[str, Any]) -> None:
    """Write it for people."""
    row: TaskRow = found["task"]
    shown = {name: getattr(row, name) for name in TaskRow.__struct_fields__ if name != "tenant"}
    out.facts({"task": shown.pop("task_id"), "state": shown.pop("state"), **shown})
    if found["attempts"]:
        rows = [
            (one.attempt, one.agent, one.outcome, _ms(one.duration_us), one.worker or one.started_by, one.output or one.error)
            for one in found["attempts"]
        ]
        out.table(("attempt", "agent", "outcome", "took", "worker", "output or error"), rows)
    used = [(one.attempt, each) for one in found["attempts"] for each in choices_in(one)]
    if used:
        models = [(attempt, each["step"], each["model"], each["probability"], each["subtask"]) for attempt, each in used]
        out.table(("attempt", "step", "model", "probability", "subtask"), models)
    if found["feedback"]:
        said = [
            (one.judged_attempt or "", one.rater, one.kind, one.value, one.comment or one.correction, one.effective)
            for one in found["feedback"]
        ]
        out.table(("attempt", "rater", "kind", "value", "words", "counts"), said)
    if found["examples"]:
        learned = [(one.attempt, one.agent, one.reward_micro / 1e6, one.propensity, one.sequence) for one in found["examples"]]
        out.table(("attempt", "agent", "reward", "propensity", "example"), learned)
    if found["part_of"] is not None:
        out.say(f"it is a part of task {found['part_of'].task_id}, step {found['part_of'].step}")
    if found["steps"]:
        split = [
            (one.step, one.outcome or "open", ", ".join(one.agents or ()), " ".join(one.parts or ())) for one in found["steps"]
        ]
        out.table(("step", "outcome", "agents", "tasks"), split)
    if found["approvals"]:
        asked = [(one.approval_id[:8], one.state, one.tool, one.answered_by, one.reason) for one in found["approvals"]]
        out.table(("approval", "state", "wanted to call", "answered by", "words"), asked)
    for one in found["approvals"]:
        if one.state == "open":
            out.line(f"it waits for a person until {out.cell(one.expires_at)}: `smolit approval show {one.approval_id[:8]}`")
    if found["decisions"]:
        out.say(f"`smolit policy explain {row.task_id}` says why this agent")


def _ms(duration_us: int | None) -> str | None:
    return None if duration_us is None else f"{duration_us / 1000:.1f} ms"


async def _watch(connection: Connection, tenant: str, task_id: str, as_json: bool) -> None:
    """Print the task's events as they become known, up to its end."""
    await known(connection, tenant, task_id)
    told: set[str] = set()
    while True:
        for event in await story(connection, task_id):
            if event.event_id not in told:
                told.add(event.event_id)
                print_event(event, as_json)
            if event.type == "task.ended":
                return
        await asyncio.sleep(_POLL_S)


def print_event(event: EventRow, as_json: bool) -> None:
    """Print one event of the log, as one line."""
    if as_json:
        out.json_line(event)
    else:
        out.line(f"{out.cell(event.occurred_at)}  {words(event.type, event.payload)}")
