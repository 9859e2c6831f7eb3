"""The versions of an agent, out of the log: what it was, since when, and what happened to it besides."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from agents.difference import Difference, differences
from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.event import Event, Message
from events.topics import AGENTS, Names
from events.wire import decode
from smolit.client import ends, places_of, reading
from smolit.errors import NothingFound

_DIGEST = re.compile(r"[0-9a-f]{4,64}")
_HAPPENED = {AgentPaused: "paused", AgentResumed: "resumed", AgentRetired: "retired"}


class Happened(Struct, frozen=True):
    """One thing that happened to an agent; a registration or a revision has a number, a digest, and what it changed."""

    at: datetime
    what: str
    number: int | None = None
    version: str | None = None
    digest: str | None = None
    changed: tuple[Difference, ...] = ()
    reason: str | None = None


class Version(Struct, frozen=True):
    """A spec as it was in force, counted from 1."""

    number: int
    spec: AgentSpec
    digest: str


async def agent_events(kafka: str, names: Names) -> list[Event[Message]]:
    """Return every event about agents in the order of the log, as far as it goes now; a repeat counts once."""
    until = await ends(kafka, places_of(names, (AGENTS,)))
    found: dict[str, Event[Message]] = {}
    async with reading(kafka, dict.fromkeys(until, 0)) as reader:
        read = dict.fromkeys(until, 0)
        while any(read[place] < end for place, end in until.items()):
            for record in await reader.fetch():
                read[record.topic, record.partition] = record.offset + 1
                event = decode(record.headers, record.value)
                found.setdefault(event.id, event)
    return list(found.values())


def history(events: Iterable[Event[Message]], tenant: str, agent_id: str) -> list[Happened]:
    """Return what happened to one agent, oldest first."""
    told: list[Happened] = []
    before: AgentSpec | None = None
    number = 0
    for event in events:
        at = event.envelope.time
        match event.fact:
            case AgentRegistered(tenant=owner, agent_id=one) | AgentRevised(tenant=owner, agent_id=one) as fact:
                if (owner, one) != (tenant, agent_id):
                    continue
                number += 1
                what = "registered" if isinstance(fact, AgentRegistered) else "revised"
                changed = tuple(differences(before, fact.spec)) if before else ()
                told.append(Happened(at, what, number, fact.spec.version, fact.digest, changed))
                before = fact.spec
            case AgentPaused() | AgentResumed() | AgentRetired() as fact:
                if (fact.tenant, fact.agent_id) == (tenant, agent_id):
                    told.append(Happened(at, _HAPPENED[type(fact)], reason=getattr(fact, "reason", None) or None))
    return told


def versions(events: Iterable[Event[Message]], tenant: str, agent_id: str) -> list[Version]:
    """Return the specs that an agent had, oldest first."""
    specs = [
        fact
        for event in events
        if isinstance(fact := event.fact, AgentRegistered | AgentRevised) and (fact.tenant, fact.agent_id) == (tenant, agent_id)
    ]
    return [Version(number, fact.spec, fact.digest) for number, fact in enumerate(specs, 1)]


def picked(known: Sequence[Version], at: str) -> Version:
    """Return the version of a number, a label, or the beginning of a digest; of several the latest.

    Raises:
        NothingFound: there is none.
    """
    for one in reversed(known):
        if at in (str(one.number), one.spec.version) or (_DIGEST.fullmatch(at) and one.digest.startswith(at)):
            return one
    there = ", ".join(f"{one.number} ({one.digest[:12]})" for one in known)
    raise NothingFound(f"there is no version {at!r}; there are {there or 'none'}")
