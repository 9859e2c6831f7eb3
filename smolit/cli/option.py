"""Options that several commands share."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer

from smolit.errors import UsageInvalid

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose it is.")]
Scope = Annotated[str, typer.Option("--scope", help="Family of tasks that one policy state covers.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most rows to show.")]
Parameters = Annotated[str, typer.Option("--parameters", metavar="JSON", help="Parameters of the policy, as an object.")]
TaskIdArgument = Annotated[str, typer.Argument(metavar="TASK", help="Id of a task.")]

_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime, sign: int) -> datetime:
    """Return a moment written as RFC 3339, or as a span from now such as `30s`, `5m`, `2h`, `7d`; `sign` says which way.

    Raises:
        UsageInvalid: it is neither.
    """
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS:
            return now + sign * timedelta(**{_UNITS[unit]: float(number)})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageInvalid(f"{text!r} is neither a time (2030-01-31T12:00:00Z) nor a span (30s, 5m, 2h, 7d)") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds(text: str) -> float:
    """Return the length of a span such as `30s`, `5m`, `2h`, `7d`; raises UsageInvalid for anything else."""
    number, unit = text[:-1], text[-1:]
    try:
        found = timedelta(**{_UNITS[unit]: float(number)}).total_seconds()
    except (KeyError, ValueError, OverflowError):
        raise UsageInvalid(f"{text!r} is no span (30s, 5m, 2h, 7d)") from None
    if found < 0:
        raise UsageInvalid(f"{text!r} lies in the past")
    return found


def task_named(text: str) -> str:
    """Return a task id as it was typed; raises UsageInvalid for what cannot be one."""
    if not _TASK_ID.fullmatch(text):
        raise UsageInvalid(f"{text!r} is no task id; `smolit task list` shows them")
    return text


def json_object(text: str, option: str) -> dict[str, Any]:
    """Return the object that was typed after an option; raises UsageInvalid, which names the option."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageInvalid(f"{option} must be a JSON object: {error}") from error


def settings_of(parameters: str) -> dict[str, Any]:
    """Return the parameters of a policy as they were typed; raises UsageInvalid."""
    return json_object(parameters, "--parameters")
