"""The work: does anything lie far behind, wait for long, or hang on a worker that is gone?"""

import asyncio
from collections.abc import Iterator

from smolit.cli.desk import Desk
from smolit.doctor.finding import Finding, finding
from smolit.process.endpoints import locate
from smolit.process.lag import Lag, lags
from smolit.settings import Settings
from store import claim, work
from store.claim import Late
from store.work import Backlog

FAR_BEHIND = 10_000
_LONG_S = 60.0
_TURNS = 3  # of a lease: by then the watchdog should have queued the attempt again


def waiting(settings: Settings, far_behind: int = FAR_BEHIND) -> Iterator[Finding]:
    """Yield what waits: records for a reader, attempts for a worker, tasks for a choice, attempts of dead workers."""
    behind, queued, late = asyncio.run(_look(settings))
    yield from _lagging(behind, far_behind)
    for one in queued:
        seen = f"{one.waiting} task(s), longest {one.oldest_s:.0f} s"
        advice = "no live worker serves it, or it is paused; see `smolit agent list` and `smolit status`"
        yield finding(f"waiting for {one.agent or 'a choice'}", one.oldest_s < _LONG_S, seen, advice)
    for dead in late:
        seen = f"holds {dead.attempts} attempt(s), its lease ran out {dead.longest_s:.0f} s ago"
        advice = "it died, and the watchdog (in dispatch) that should queue its work again does not; see `smolit status`"
        yield Finding(f"worker {dead.worker}", False, seen, advice)


async def _look(settings: Settings) -> tuple[list[Lag], list[Backlog], list[Late]]:
    desk = Desk(settings, locate(settings))
    async with desk.reading() as connection:
        behind = await lags(desk.endpoints.kafka, connection, settings.topic_prefix)
        return behind, await work.backlog(connection), await claim.late(connection, _TURNS * settings.lease_s)


def _lagging(behind: list[Lag], far_behind: int) -> Iterator[Finding]:
    """Yield every reader that lags, or one word that none does."""
    slow = [one for one in behind if one.records >= far_behind]
    if not slow:
        yield Finding("lag", True, f"{sum(one.records for one in behind)} records")
    for one in slow:
        told = f"{one.records} records behind in {one.topic}"
        advice = (
            "is its process up (`smolit status`)? If it is and the lag grows (`smolit projection lag`), it needs a faster machine"
        )
        yield Finding(f"lag of {one.consumer}", False, told, advice)
