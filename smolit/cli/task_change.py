"""`smolit task cancel`, `smolit task forget` and `smolit feedback`: what people have to say about a task."""

import getpass
from typing import Annotated, Any

import typer

from events.request import CancelTask, ForgetTask, GiveFeedback, ReviseFeedback
from events.topics import DEFAULT_TENANT
from projections.feedback import feedback_on
from smolit.cli.desk import ask_for, open_desk, read
from smolit.cli.option import DryRun, TaskIdArgument, Tenant, task_named
from smolit.errors import NothingFound, UsageInvalid

Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history.")]
Good = Annotated[bool | None, typer.Option("--good/--bad", help="A plain yes or no.")]
Value = Annotated[float | None, typer.Option("--value", min=0, max=1, help="A score from 0 (worst) to 1 (best).")]
Comment = Annotated[str | None, typer.Option("--comment", help="What you have to say.")]
Correction = Annotated[str | None, typer.Option("--correction", help="What the answer should have been.")]
Attempt = Annotated[int | None, typer.Option("--attempt", min=1, help="Attempt that is meant; else the one that completed.")]
Rater = Annotated[str | None, typer.Option("--rater", help="Whose judgement it is; else yours, by your login name.")]
Revision = Annotated[int | None, typer.Option("--revision", min=1, help="Number of the revision; else the next one.")]


def cancel(task_id: TaskIdArgument, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Ask for a task to be cancelled; `task show` tells whether it was in time."""
    ask_for(tenant, CancelTask(task_id=task_named(task_id), reason=reason), dry_run, f"asked to cancel {task_id}")


def forget(task_id: TaskIdArgument, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let nobody find a task by likeness any more: its vector is deleted, its history stays."""
    ask_for(tenant, ForgetTask(task_id=task_named(task_id), reason=reason), dry_run, f"{task_id} is no longer found by likeness")


def give(
    task_id: TaskIdArgument,
    good: Good = None,
    value: Value = None,
    comment: Comment = None,
    correction: Correction = None,
    attempt: Attempt = None,
    rater: Rater = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Say what you think of a task's result."""
    said = judgement(good, value, comment, correction)
    request = GiveFeedback(task_id=task_named(task_id), attempt=attempt, rater=rater or getpass.getuser(), **said)
    ask_for(tenant, request, dry_run, f"feedback on {task_id} is recorded")


def revise(
    task_id: TaskIdArgument,
    good: Good = None,
    value: Value = None,
    comment: Comment = None,
    correction: Correction = None,
    attempt: Attempt = None,
    rater: Rater = None,
    revision: Revision = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Change what you said of a task's result; the highest revision counts."""
    said, who = judgement(good, value, comment, correction), rater or getpass.getuser()
    number = revision or _next_revision(tenant, task_id, attempt, who)
    request = ReviseFeedback(task_id=task_named(task_id), attempt=attempt, rater=who, revision=number, **said)
    ask_for(tenant, request, dry_run, f"revision {number} of the feedback on {task_id} is recorded")


def judgement(good: bool | None, value: float | None, comment: str | None, correction: str | None) -> dict[str, Any]:
    """Return the fields of a judgement; raises UsageInvalid if it says nothing, or two things."""
    if good is not None and value is not None:
        raise UsageInvalid("say either --good/--bad or --value")
    if good is not None:
        return {"kind": "boolean", "value": float(good), "comment": comment, "correction": correction}
    if value is not None:
        return {"kind": "score", "value": value, "comment": comment, "correction": correction}
    if correction is not None:
        return {"kind": "correction", "comment": comment, "correction": correction}
    if comment is not None:
        return {"kind": "comment", "comment": comment}
    raise UsageInvalid("say what you think: --good, --bad, --value, --comment or --correction")


def _next_revision(tenant: str, task_id: str, attempt: int | None, rater: str) -> int:
    """Return the number after the last that this rater used; raises NothingFound if there is nothing to revise."""
    found = read(open_desk(), lambda connection: feedback_on(connection, tenant, task_id))
    mine = [one.revision for one in found if one.rater == rater and one.judged_attempt == (attempt or 0)]
    if not mine:
        raise NothingFound(f"{rater} has said nothing of task {task_id} yet; `smolit feedback give` does")
    return max(mine) + 1
