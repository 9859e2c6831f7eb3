"""The processes: does each run, and is it steady?"""

from collections.abc import Iterator

from smolit.doctor.finding import Finding, finding
from smolit.process import pools
from smolit.process.census import Standing, census, share_bytes
from smolit.process.roster import extras, slots
from smolit.process.runner import live_runner
from smolit.settings import Settings

_MANY_RESTARTS = 3
_LONG_S = 60.0


def processes(settings: Settings) -> Iterator[Finding]:
    """Does the runner run, and every process with it?"""
    if live_runner(settings.data_dir) is None:
        yield Finding("runner", False, "does not run", "`smolit up` or `smolit run all` starts it")
    known = {one.identity: one for one in census(settings.data_dir)}
    for slot in (*slots(settings.workers), *extras(settings), *pools.wanted(settings)):
        yield _process(slot.identity, known.get(slot.identity))
        if slot.name == "worker" and settings.worker_memory_mb:
            yield from _memory(slot.identity, known.get(slot.identity), settings.worker_memory_mb)


def _memory(identity: str, one: Standing | None, most_mb: int) -> Iterator[Finding]:
    """Is a worker within its memory?"""
    used = share_bytes(one.pid) if one and one.pid else None
    if used is not None:
        told = f"{used / 2**20:.0f} of {most_mb} MiB"
        yield finding(f"memory of {identity}", used <= most_mb * 2**20, told, "it ends what is under way and starts afresh")


def _process(identity: str, one: Standing | None) -> Finding:
    """Is one process alive, ready and steady?"""
    log = "its lines in logs/smolit.log say why"
    if one is None or one.pid is None:
        return Finding(identity, False, "does not run", log)
    if not one.ready:
        return Finding(identity, False, f"runs, but is not ready after {one.uptime_s or 0:.0f} s", log)
    steady = one.restarts < _MANY_RESTARTS or (one.uptime_s or 0.0) > _LONG_S
    return finding(identity, steady, f"ready, {one.restarts} restart(s)", log)
