"""`smolit approval`: what agents want to do and a person has to allow."""

import asyncio
import getpass
from typing import Annotated

import typer

from events.approval import Decision, answer_bytes
from events.request import AnswerApproval
from events.topics import DEFAULT_TENANT
from events.vouched import OPERATOR
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk, put_in_force, read
from smolit.cli.option import DryRun, Json, Limit, Tenant
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from smolit.process.keys import keyring
from store import approval
from store.approval import Approval, State

_SETTLED_S = 30.0
_POLL_S = 0.1
Which = Annotated[str, typer.Argument(metavar="APPROVAL", help="Id of the question, or how it begins.")]
All = Annotated[bool, typer.Option("--all", help="Those that are settled, too.")]
OfTask = Annotated[str | None, typer.Option("--task", metavar="TASK", help="Only those of this task.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in words, for whoever reads the history.")]
By = Annotated[str, typer.Option("--by", help="Who says so; the user of this machine by default.")]


def list_approvals(
    every: All = False, task_id: OfTask = None, limit: Limit = 20, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False
) -> None:
    """List what agents wait for a person to allow, the newest first."""
    state: State | None = None if every else "open"
    found = read(open_desk(), lambda connection: approval.listed(connection, tenant, state, task_id, limit))
    if as_json:
        out.json(found)
        return
    rows = [(one.approval_id[:8], one.state, one.agent, one.tool, one.why, one.expires_at, one.task_id) for one in found]
    out.table(("approval", "state", "agent", "wants to call", "because of", "denied from", "task"), rows)


def show(which: Which, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show one call with its arguments, and what was said about it."""
    one = _named(open_desk(), tenant, which)
    if as_json:
        out.json(one)
    else:
        out.facts({name: getattr(one, name) for name in Approval.__struct_fields__})


def grant(
    which: Which, reason: Why = "", by: By = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Allow exactly this call, with these arguments, once."""
    _answer(which, "granted", reason, by, tenant, dry_run, as_json)


def deny(
    which: Which, reason: Why = "", by: By = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Deny this call; the agent is told so and goes on without it."""
    _answer(which, "denied", reason, by, tenant, dry_run, as_json)


def _answer(which: str, decision: Decision, reason: str, by: str, tenant: str, dry_run: bool, as_json: bool) -> None:
    desk = open_desk()
    one = _named(desk, tenant, which)
    if one.state != "open":
        raise CheckFailed(f"it is settled: {one.state} by {one.answered_by or 'nobody in time'}")
    who = by or getpass.getuser()
    content = answer_bytes(tenant, one.approval_id, one.arguments_sha256, decision, who, reason)
    request = AnswerApproval(
        approval_id=one.approval_id,
        task_id=one.task_id,
        arguments_sha256=one.arguments_sha256,
        decision=decision,
        by=who,
        reason=reason,
        proof=keyring(desk.settings).key(tenant, OPERATOR).sign(content),
    )
    if asyncio.run(put_in_force(desk, tenant, request, dry_run)) is None:
        return
    settled = asyncio.run(_settled(desk, tenant, one.approval_id))
    if as_json:
        out.json(settled)
    else:
        out.line(f"{settled.agent} was {settled.state} {settled.tool} by {settled.answered_by or 'nobody'}")
    if settled.state != decision:
        raise CheckFailed(f"the answer does not count: the question is {settled.state}")


async def _settled(desk: Desk, tenant: str, approval_id: str) -> Approval:
    """Return a question once it is settled, or as it stands when we stop waiting."""
    async with desk.reading() as connection:
        for _ in range(round(_SETTLED_S / _POLL_S)):
            (one,) = await approval.named(connection, tenant, approval_id)
            if one.state != "open":
                break
            await asyncio.sleep(_POLL_S)
    return one


def _named(desk: Desk, tenant: str, which: str) -> Approval:
    """Return the question that is meant."""
    found = read(desk, lambda connection: approval.named(connection, tenant, which))
    if not found:
        raise NothingFound(f"no agent of tenant {tenant!r} asks {which!r}; `smolit approval list` says what waits")
    if len(found) > 1:
        raise UsageInvalid(f"more than one begins with {which!r}; name it in full")
    return found[0]
