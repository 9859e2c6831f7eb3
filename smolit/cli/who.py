"""`smolit agent who`: which live agents can do something."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

import typer
from msgspec import Struct

from agents.front.capability import MOST, Capable, able
from events.topics import DEFAULT_TENANT
from projections.agent import AgentRow, agents
from smolit.chat.live import live_agents
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.option import Json, Tenant

What = Annotated[str, typer.Argument(metavar="WHAT", help="What is to be done, in words, such as `read scans`.")]


class Found(Struct, frozen=True):
    """Who can do it, best first; where nobody can, why."""

    agents: tuple[Capable, ...]
    reason: str | None
    best_fit: float = MOST  # what a fit can be at most


def who(what: What, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Find live agents that can do something; nobody is an empty list, with the reason."""
    found = asyncio.run(_who(open_desk(), tenant, what))
    if as_json:
        out.json(found)
        return
    if found.reason is not None:
        out.say(found.reason)
    out.table(
        ("agent", f"fit, of {MOST:g}", "skills", "description"),
        [(one.id, one.fit, ", ".join(one.skills), one.description) for one in found.agents],
    )


async def _who(desk: Desk, tenant: str, what: str) -> Found:
    from learning.encoders import open_encoder

    async with desk.reading() as connection:
        known = await agents(connection, tenant)
    encoder = open_encoder(desk.settings.encoder, desk.settings.cache / "encoder")
    ranked = able(what, described(known), encoder.encode, examples(known))
    live = await live_agents(desk)
    there = tuple(one for one in ranked if one.id in live)
    return Found(there, None if there else _why_nobody(ranked, live))


def described(known: Iterable[AgentRow]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return id, description and skills of those that may be chosen."""
    return [
        (one.agent_id, str(one.spec.get("description", "")), tuple(one.spec.get("skills", ())))
        for one in known
        if one.state == "active" and one.spec is not None
    ]


def examples(known: Iterable[AgentRow]) -> dict[str, tuple[str, ...]]:
    """Return by agent the tasks that it gives as examples."""
    return {one.agent_id: tuple(one.spec.get("examples", ())) for one in known if one.spec is not None}


def _why_nobody(ranked: Iterable[Capable], live: dict[str, list[str]]) -> str:
    asleep = [one.id for one in ranked]
    if asleep:
        return f"nobody who is alive: {', '.join(asleep)} could, and no live worker serves them"
    return "nobody: no live worker serves any agent" if not live else "nobody says that they can do that"
