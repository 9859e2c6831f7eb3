"""`smolit policy due`: is it time to train a scope's network again, and why."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from events.topics import DEFAULT_TENANT
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import Json, Scope, Tenant, seconds
from smolit.errors import CheckFailed, UsageInvalid
from smolit.model.fold import Scope as Place

if TYPE_CHECKING:
    from smolit.retrain.history import History

Every = Annotated[
    str | None, typer.Option("--every", metavar="SPAN", help="Time, if the last example that is known is so old (7d).")
]
Tasks = Annotated[int | None, typer.Option("--tasks", min=1, help="Time, once so many attempts were judged since.")]
Drop = Annotated[float | None, typer.Option("--drop", min=0.0, max=1.0, help="Time, if rewards fell by this, and not by chance.")]
Window = Annotated[int, typer.Option("--window", min=30, max=100_000, help="Judged attempts whose rewards are compared.")]


def due(
    every: Every = None,
    tasks: Tasks = None,
    drop: Drop = None,
    window: Window = 200,
    scope: Scope = "default",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Say whether it is time to retrain, and why; it ends with 1 where it is not, so `&&` can stand before `policy retrain`."""
    if every is None and tasks is None and drop is None:
        raise UsageInvalid("say when it is time: --every SPAN, --tasks N or --drop REWARD")
    from smolit.retrain.due import Rule  # with numpy and the encoder's map behind it
    from smolit.retrain.due import due as judge

    rule = Rule(None if every is None else timedelta(seconds=seconds(every)), tasks, drop, window)
    known, cut = asyncio.run(_known(open_desk(), Place(tenant, scope)))
    found = judge(known, cut, rule, now())
    if as_json:
        out.json(found)
    else:
        told = {name: getattr(found, name) for name in found.__struct_fields__ if name not in ("reasons", "rise")}
        rise = found.rise
        risen = None if rise is None else f"{rise.value:+.4f} ({rise.low:+.4f} to {rise.high:+.4f})"
        out.facts({"scope": scope, **told, "rewards rose by": risen, "because of": ", ".join(found.reasons) or None})
    if not found.due:
        raise CheckFailed(f"scope {scope} needs no new network yet: {found.judged_since} attempts were judged since the last")


async def _known(desk: Desk, place: Place) -> tuple["History", int]:
    """Return what the log knows of the scope, and the last example that its newest network knows."""
    from learning.encoders import context_map
    from smolit.cli.log import whole_log
    from smolit.model.registry import versions
    from smolit.retrain.history import history

    trained = [one.origin.trained for one in (await versions(desk)).of(*place) if one.origin.trained is not None]
    known = history(await whole_log(desk), place, context_map(desk.settings.encoder).digest)
    return known, max((one.cut for one in trained), default=-1)
