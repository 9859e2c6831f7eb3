"""The verdict: every check over one world that has settled."""

import asyncio

from msgspec import Struct

from smolit.chaos.check import effect, learner, lost, order, position, rejoin, team
from smolit.chaos.check.digest import unlike_a_fold
from smolit.chaos.check.evidence import Evidence, read_log, read_tables
from smolit.chaos.check.finding import Finding
from smolit.chaos.check.position import misplaced
from smolit.chaos.history import History
from smolit.chaos.provider import Providers
from smolit.chaos.world import World

_AGAIN, _PAUSE_S = 5, 1.0
_LOST, _LEARNT = ("C1", "C2", "liveness"), ("learner", "examples")


class Verdict(Struct, frozen=True):
    """Everything that was found wrong, and how much was looked at."""

    findings: tuple[Finding, ...]
    looked_at: dict[str, int]

    def count(self, *checks: str) -> int:
        """Return how many cases these checks found."""
        return sum(finding.count for finding in self.findings if finding.check in checks)

    @property
    def lost(self) -> int:
        """Return how many things that were acknowledged, or were in the log, are missing somewhere."""
        return self.count(*_LOST)

    @property
    def learner_equal(self) -> bool:
        """Return whether all policy states and examples are what the log says."""
        return self.count(*_LEARNT) == 0


async def judge(world: World, history: History, providers: Providers, settled: bool = True) -> Verdict:
    """Read the evidence and check it all; in a world that has not settled, what may only be late is let pass."""
    evidence = await gather(world, history, providers, settled)
    for _ in range(_AGAIN if settled else 0):
        if not misplaced(evidence):
            break  # else the learner may just have announced a snapshot, which nobody waits for
        await asyncio.sleep(_PAUSE_S)
        evidence = await gather(world, history, providers, settled)
    findings = [*of_evidence(evidence), *await unlike_a_fold(world), *await learner.unlike_the_log(world, evidence)]
    return Verdict(tuple(findings), _looked_at(evidence))


async def gather(world: World, history: History, providers: Providers, settled: bool) -> Evidence:
    """Read history, tables, log and providers, in this order: what follows from a thing is read after it."""
    asked, tables = list(history.entries), await read_tables(world)
    log = await read_log(world)
    return Evidence(log, asked, list(providers.once.lines), list(providers.plain.lines), tables, settled)


def of_evidence(evidence: Evidence) -> list[Finding]:
    """Return what is wrong by the evidence alone."""
    return [
        *lost.acknowledged_but_lost(evidence),
        *lost.neither_applied_nor_parked(evidence),
        *lost.from_nowhere(evidence),
        *order.inverted(evidence),
        *effect.repeated(evidence),
        *lost.left_nothing(evidence),
        *position.misplaced(evidence),
        *team.amiss(evidence),
        *(rejoin.unlike_the_facts(evidence) if evidence.settled else []),
    ]


def _looked_at(evidence: Evidence) -> dict[str, int]:
    """Return the size of the evidence."""
    records = sum(map(len, evidence.log.topics.values()))
    return {
        "records": records,
        "events": len(evidence.log.first),
        "repeated_records": len(evidence.log.events) - len(evidence.log.first),
        "requests_acknowledged": len(evidence.acknowledged),
        "tries_with_unknown_outcome": sum(entry.outcome == "info" for entry in evidence.history),
        "effects_asked": sum(line.what == "called" for line in (*evidence.once, *evidence.plain)),
        "effects_applied": sum(line.what == "applied" for line in (*evidence.once, *evidence.plain)),
        **team.counted(evidence),
    }
