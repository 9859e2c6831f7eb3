"""`smolit model track`: versions of policies in MLflow's tables, for people who look at runs there."""

import asyncio
import time
from typing import Annotated

import typer

from bus.errors import BusError
from events.topics import MODELS
from smolit.apart import address
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.log import log_of
from smolit.cli.option import DryRun, Json
from smolit.errors import CheckFailed, TrackerUnusable, UsageInvalid
from smolit.tracking.course import Caught, catch_up, told_by, verify
from smolit.tracking.fold import Told
from smolit.tracking.ground import SCHEMA
from store.errors import StoreError

Follow = Annotated[bool, typer.Option("--follow", help="Go on as facts come, through outages of the tracker, until interrupted.")]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help=f"Take away all that the schema {SCHEMA!r} holds, and track from the start.")
]
Verify = Annotated[bool, typer.Option("--verify", help="Compare the tracker with the fold of the facts, and write nothing.")]
Address = Annotated[bool, typer.Option("--address", help="Print the address for `mlflow ui`; it contains the password.")]

_PAUSE_S = 2.0  # between two looks at the log: nobody waits for the tracker


def track(
    follow: Follow = False,
    rebuild: Rebuild = False,
    check: Verify = False,
    show_address: Address = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write what the log says of versions into MLflow's tables, from where they are; compare them, or make them anew."""
    if sum((follow, rebuild, check, show_address)) > 1:
        raise UsageInvalid("say one of --follow, --rebuild, --verify and --address")
    desk = open_desk()
    if show_address:
        out.line(address(desk.endpoints.postgres, SCHEMA))
    elif check:
        _verify(desk, as_json)
    elif follow:
        _follow(desk)
    else:
        _once(desk, rebuild, dry_run, as_json)


def _once(desk: Desk, rebuild: bool, dry_run: bool, as_json: bool) -> None:
    told = _facts(desk)
    if dry_run:
        what = "take away all that is tracked, and track" if rebuild else "track what is missing of"
        out.say(f"would {what} {len(told)} fact(s)")
        return
    caught = catch_up(desk.endpoints.postgres, told, out.say, rebuild)
    out.json(caught) if as_json else _tell(caught)


def _follow(desk: Desk) -> None:
    """Track as facts come; where that cannot be, say so once, and go on trying: the facts wait in the log."""
    known, said = -1, ""
    while True:
        try:
            told = _facts(desk)
            if len(told) != known:
                _tell(catch_up(desk.endpoints.postgres, told))
                known, said = len(told), ""
        except (BusError, StoreError, TrackerUnusable) as error:
            if str(error) != said:
                out.say(said := str(error))
        time.sleep(_PAUSE_S)


def _verify(desk: Desk, as_json: bool) -> None:
    found = verify(desk.endpoints.postgres, _facts(desk))
    if as_json:
        out.json(found)
    elif found.different:
        out.table(("scope", "what"), found.different[:20])
    if not found.equal:
        raise CheckFailed(f"{len(found.different)} entries of the tracker are not what the log says; --rebuild makes it anew")
    behind = f"; {found.behind} fact(s) are to come" if found.behind else ""
    out.say(f"{found.runs} runs in {found.scopes} scopes are what {found.facts} facts say, {found.log_sha256[:12]}{behind}")


def _facts(desk: Desk) -> list[Told]:
    return told_by(asyncio.run(log_of(desk, (MODELS,))))


def _tell(caught: Caught) -> None:
    written = ", ".join(caught.scopes) or "none"
    out.say(f"{caught.facts} fact(s) came; scopes that were looked at: {written}; next is offset {caught.next_offset}")
