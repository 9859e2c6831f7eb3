"""`smolit task cancel`, `smolit task forget` and `smolit feedback`: what people have to say about a task."""

import getpass
from typing import Annotated, Any

import typer

from events.request import CancelTask, ForgetTask, GiveFeedback, OtherAnswer, ReviseFeedback
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
_OTHER = "the answer to another TASK, of TASK/ATTEMPT, or of another ATTEMPT."
Better = Annotated[str | None, typer.Option("--better-than", metavar="TASK", help=f"It is better than {_OTHER}")]
Worse = Annotated[str | None, typer.Option("--worse-than", metavar="TASK", help=f"It is worse than {_OTHER}")]
Equal = Annotated[str | None, typer.Option("--as-good-as", metavar="TASK", help=f"It is as good as {_OTHER}")]
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
    better_than: Better = None,
    worse_than: Worse = None,
    as_good_as: Equal = None,
    attempt: Attempt = None,
    rater: Rater = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Say what you think of a task's result."""
    said = judgement(good, value, comment, correction, compared(better_than, worse_than, as_good_as))
    request = GiveFeedback(task_id=task_named(task_id), attempt=attempt, rater=rater or getpass.getuser(), **said)
    ask_for(tenant, request, dry_run, f"feedback on {task_id} is recorded")


def revise(
    task_id: TaskIdArgument,
    good: Good = None,
    value: Value = None,
    comment: Comment = None,
    correction: Correction = None,
    better_than: Better = None,
    worse_than: Worse = None,
    as_good_as: Equal = None,
    attempt: Attempt = None,
    rater: Rater = None,
    revision: Revision = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Change what you said of a task's result; the highest revision counts."""
    said = judgement(good, value, comment, correction, compared(better_than, worse_than, as_good_as))
    who = rater or getpass.getuser()
    number = revision or _next_revision(tenant, task_id, attempt, who)
    request = ReviseFeedback(task_id=task_named(task_id), attempt=attempt, rater=who, revision=number, **said)
    ask_for(tenant, request, dry_run, f"revision {number} of the feedback on {task_id} is recorded")


def judgement(
    good: bool | None,
    value: float | None,
    comment: str | None,
    correction: str | None,
    compared: tuple[float, OtherAnswer] | None = None,
) -> dict[str, Any]:
    """Return the fields of a judgement; raises UsageInvalid if it says nothing, or two things."""
    words = {"comment": comment, "correction": correction}
    numbers: dict[str, float | None] = {
        "boolean": None if good is None else float(good),
        "score": value,
        "comparison": compared[0] if compared else None,
    }
    said = {kind: number for kind, number in numbers.items() if number is not None}
    if len(said) > 1:
        raise UsageInvalid("say one thing: --good/--bad, --value, --better-than, --worse-than or --as-good-as")
    for kind, number in said.items():
        return {"kind": kind, "value": number, **words, **({"against": compared[1]} if compared else {})}
    if correction is not None:
        return {"kind": "correction", **words}
    if comment is not None:
        return {"kind": "comment", "comment": comment}
    raise UsageInvalid("say what you think: --good, --bad, --value, --better-than TASK, --comment or --correction")


def compared(better: str | None, worse: str | None, equal: str | None) -> tuple[float, OtherAnswer] | None:
    """Return what a comparison says, and the other answer; raises UsageInvalid if it says two things."""
    told = [(value, other) for value, other in ((1.0, better), (0.0, worse), (0.5, equal)) if other is not None]
    if len(told) > 1:
        raise UsageInvalid("an answer is compared with one other at a time")
    return (told[0][0], other_answer(told[0][1])) if told else None


def other_answer(text: str) -> OtherAnswer:
    """Return the answer that is named as TASK, TASK/ATTEMPT or ATTEMPT; raises UsageInvalid."""
    task, _, attempt = ("", "", text) if text.isdecimal() else text.partition("/")
    if attempt and not (attempt.isdecimal() and 1 <= int(attempt) <= 1000):
        raise UsageInvalid(f"{text!r} names no attempt: it is TASK, TASK/ATTEMPT or ATTEMPT, counted from 1")
    return OtherAnswer(task_id=task_named(task) if task else None, attempt=int(attempt) if attempt else None)


def _next_revision(tenant: str, task_id: str, attempt: int | None, rater: str) -> int:
    """Return the number after the last that this rater used; raises NothingFound if there is nothing to revise."""
    found = read(open_desk(), lambda connection: feedback_on(connection, tenant, task_id))
    mine = [one.revision for one in found if one.rater == rater and one.judged_attempt == (attempt or 0)]
    if not mine:
        raise NothingFound(f"{rater} has said nothing of task {task_id} yet; `smolit feedback give` does")
    return max(mine) + 1
