"""What the replaying commands share: a mistake in what was asked for is a mistake of usage, and reports are JSON files."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import msgspec

from bench.selection.routing import RoutingInvalid
from learning.errors import InvalidPolicySetting, UnknownPolicy
from learning.outcomes import OutcomesUnreadable
from smolit.errors import UsageInvalid

P = ParamSpec("P")
_ASKED_WRONGLY = (RoutingInvalid, OutcomesUnreadable, UnknownPolicy, InvalidPolicySetting)


def asked(command: Callable[P, None]) -> Callable[P, None]:
    """Return the command, which ends with the exit code of usage where set, agents or policy cannot be meant."""

    @wraps(command)
    def checked(*given: P.args, **named: P.kwargs) -> None:
        try:
            command(*given, **named)
        except _ASKED_WRONGLY as error:
            raise UsageInvalid(str(error)) from error

    return checked


def require_file(path: Path | None) -> None:
    """Refuse, before anything is measured, a file that could not be written afterwards; raises UsageInvalid."""
    if path is not None and not path.absolute().parent.is_dir():
        raise UsageInvalid(f"there is no folder {path.parent} to write {path.name} to")
    if path is not None and path.is_dir():
        raise UsageInvalid(f"{path} is a folder; name a file to write to")


def write(path: Path | None, report: Any) -> None:
    """Write a report as JSON, keys sorted; nothing where no file was asked for."""
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report, order="sorted"), indent=1) + b"\n")
