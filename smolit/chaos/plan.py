"""Where a process can be made to die or to fall asleep, and the file that tells it to."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from smolit.process.record import write_json

How = Literal["kill", "stop"]
NOTES = "deaths.jsonl"  # beside the plans: what processes noted just before they went

_TURNED = ("commit.before", "commit.after", "ack.before", "ack.after")
_PLAN = ("plan.before", "plan.written", "plan.after")  # how a split task stands is written down
# `x.before`: about to do x; `x.written`: done, not yet committed; `x.after`: done for good.
POINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "intake": ("claim.before", "claim.after", "send.before", "send.after", *_TURNED),
        "selection": ("send.before", "send.after", "ack.before", "ack.after"),
        "learning": (*_TURNED, "snapshot.before", "snapshot.written", "snapshot.after"),
        "dispatch": ("commit.before", "commit.after", *_PLAN),  # the supervisor lives in it
        "ingest": (),  # no task passes it, so it dies at any moment
        "projections": ("commit.before", "commit.after"),
        "relay": ("send.before", "send.after", "mark.before", "mark.written", "mark.after"),
        "worker": (
            "claim.before",
            "claim.written",
            "claim.after",
            "ledger.before",
            "ledger.after",
            "call.before",
            "call.after",
            "settle.before",
            "settle.after",
            "end.before",
            "end.written",
            "end.after",
            *_PLAN,
        ),
    }
)


class Fuse(Struct, frozen=True):
    """What happens when a point is passed for the n-th time from now: SIGKILL or SIGSTOP, by the process itself."""

    point: str
    passes: int = 1
    how: How = "kill"


class Plan(Struct, frozen=True):
    """What is in store for one process: a fuse, and a planted bug that it carries; its file is read at SIGUSR1 again."""

    fuse: Fuse | None = None
    bug: str | None = None


class Death(Struct, frozen=True):
    """A note that a process leaves just before its own signal ends or stops it."""

    pid: int
    name: str
    instance: str
    point: str
    how: How


def write_plan(path: Path, plan: Plan) -> None:
    """Put a plan in place, whole or not at all."""
    write_json(path, plan)


def read_plan(path: Path) -> Plan:
    """Return the plan in a file."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
