"""Beside dispatch: the folders of agent specs are watched, and what changes in them is asked for."""

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from events.agent import AgentRegistered, AgentRevised
from handlers.count import Count
from handlers.nap import nap
from smolit.agent.history import agent_events
from smolit.agent.watch import Changed, Digests, Folders, revisions
from smolit.client import Ask, Client, Origin
from smolit.process import log
from smolit.process.place import Place
from smolit.process.prepare import SPECS
from store import work
from streams.change import spec_digest

SOURCE = "smolit/watch"
Known = Callable[[str], Collection[str]]
_EVERY_S = 1.0


async def watch(place: Place, stopped: asyncio.Event, count: Count) -> None:
    """Look every second until told to stop."""
    folders = Folders((SPECS, *place.settings.agent_dirs))
    connection = await place.ports.connect(place.endpoints.postgres, "watch")
    try:
        while not stopped.is_set():
            if changed := await asyncio.to_thread(folders.look):
                _tell(changed)
                for tenant in sorted(set(place.settings.tenants) & set(place.settings.admins)):
                    in_force = await work.digests(connection, tenant)
                    asks = revisions(changed, tenant, in_force, SPECS, await _known(place, tenant, changed, in_force))
                    await _ask(place, tenant, asks)
                    count("watch.revised", len(asks))
            await nap(stopped, _EVERY_S)
    finally:
        await connection.close()


def _tell(changed: Sequence[Changed]) -> None:
    """Say what is wrong with a file; what it replaced goes on."""
    for one in changed:
        for fault in one.faults:
            log.bind().warning(f"{fault}; the agent stays as it was", reason="bad_spec")


async def _known(place: Place, tenant: str, changed: Sequence[Changed], in_force: Digests) -> Known:
    """Return what gives all digests that an agent ever had; the log is read only if somebody will ask."""
    other = [one.spec for one in changed if one.first and one.spec and one.spec.id in in_force]
    if all(in_force[one.id] == spec_digest(one) for one in other):
        return lambda _agent: ()
    facts = [event.fact for event in await agent_events(place.endpoints.kafka, place.names)]
    versions = [fact for fact in facts if isinstance(fact, AgentRegistered | AgentRevised) and fact.tenant == tenant]

    def of(agent_id: str) -> Collection[str]:
        return {fact.digest for fact in versions if fact.agent_id == agent_id}

    return of


async def _ask(place: Place, tenant: str, asks: Sequence[Ask]) -> None:
    """Ask for the versions, as the tenant's administrator."""
    if asks:
        origin = Origin(place.names, tenant, SOURCE)
        async with Client(place.endpoints.kafka, origin, lambda: datetime.now(UTC), os.urandom) as client:
            await client.send(list(asks))
