"""`smolit doctor`: what is wrong here, and what to do about it."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from bus.errors import BusError
from projections.errors import GenerationForeign
from smolit.cli import out
from smolit.cli.desk import Desk, read
from smolit.cli.option import Json
from smolit.cli.stack import behind
from smolit.errors import CheckFailed, FolderForeign, JavaMissing
from smolit.folder import require_ours
from smolit.process.census import Standing, census
from smolit.process.endpoints import locate
from smolit.process.roster import slots
from smolit.process.runner import live_runner
from smolit.settings import Settings, load_settings
from smolit.stack import java
from smolit.stack.port import is_free
from smolit.stack.status import StackStatus
from smolit.stack.status import status as stack_status
from store.errors import StoreError
from store.generation import serving

_LEAST_FREE = 2 * 2**30  # Kafka and Postgres stop when the disk is full; this leaves a day to react
_MANY_RESTARTS = 3
_LONG_S = 60.0
_FAR_BEHIND = 10_000


class Finding(Struct, frozen=True):
    """One thing that was looked at: whether it is well, what was seen, and what to do if it is not."""

    subject: str
    well: bool
    seen: str
    advice: str = ""


def doctor(as_json: Json = False) -> None:
    """Look for what is wrong and say what to do about it."""
    settings = load_settings()
    found = list(examine(settings))
    if as_json:
        out.json(found)
    else:
        out.table(
            ("", "subject", "seen", "what to do"),
            [("ok" if one.well else "!!", one.subject, one.seen, one.advice) for one in found],
        )
    if sick := [one.subject for one in found if not one.well]:
        raise CheckFailed(f"not well: {', '.join(sick)}")


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield every finding; what rests on something that is not well is not looked at."""
    yield _folder(settings)
    yield _disk(settings)
    if not settings.kafka:
        yield _java()
    servers = stack_status(settings)
    yield from _servers(settings, servers)
    if not (servers.kafka.running and servers.postgres.running):
        return
    topics = _topics(settings)
    yield topics
    schema = _schema(settings)
    yield schema
    if schema.well:
        yield _read_models(settings)
    yield from _processes(settings)
    if topics.well and schema.well:
        yield from _work(settings)


def _folder(settings: Settings) -> Finding:
    """Is the data folder there, and ours?"""
    subject, folder = "data folder", settings.data_dir
    if not folder.exists():
        return Finding(subject, True, f"{folder} is not there yet", "`smolit up` makes it")
    try:
        require_ours(folder)
    except FolderForeign as error:
        return Finding(subject, False, str(error), "set SMOLIT_DATA_DIR to another folder")
    return Finding(subject, True, str(folder))


def _disk(settings: Settings) -> Finding:
    """Is there room?"""
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    told = f"{free / 2**30:.1f} GiB free"
    return _finding("disk", free >= _LEAST_FREE, told, "make room: Kafka keeps every event for ever")


def _existing(folder: Path) -> Path:
    """Return the nearest folder that exists."""
    return folder if folder.exists() else _existing(folder.parent)


def _java() -> Finding:
    """Is there a Java that runs Kafka?"""
    try:
        found = java.find_java()
    except JavaMissing as error:
        return Finding("java", False, str(error), "run `make install`, or install Java 17 or newer")
    major = java.major_version(found)
    advice = f"install Java {java.OLDEST_JAVA} or newer, or run `make install`"
    return _finding("java", major >= java.OLDEST_JAVA, f"version {major} at {found}", advice)


def _servers(settings: Settings, servers: StackStatus) -> Iterator[Finding]:
    """Do Kafka and Postgres answer, and if not, who has their ports?"""
    wanted = {"kafka": settings.kafka_port, "postgres": settings.postgres_port}
    for server in (servers.kafka, servers.postgres):
        if server.running:
            yield Finding(server.name, True, f"answers{f' on port {server.port}' if server.port else ''}")
        elif not server.ours:
            yield Finding(server.name, False, "does not answer", f"start it, or check SMOLIT_{server.name.upper()}")
        else:
            yield Finding(server.name, False, "does not run", "`smolit up` starts it")
            port = wanted[server.name]
            if port and not is_free(port):
                yield Finding(
                    f"port {port}", True, f"taken by somebody else, wanted for {server.name}", "another one will be taken"
                )


def _topics(settings: Settings) -> Finding:
    """Are the topics as they are written down?"""
    from bus.admin import assert_topics  # brings the admin client, which few commands need
    from events.topics import Names

    try:
        topics = Names(settings.topic_prefix).all(settings.tenants)
        asyncio.run(assert_topics(locate(settings).kafka, topics))
    except BusError as error:
        return Finding("topics", False, str(error), "`smolit up` makes missing ones; a changed one needs a new major version")
    return Finding("topics", True, f"{len(topics)} as written down")


def _schema(settings: Settings) -> Finding:
    """Is the database at our newest migration?"""
    from store import migrate  # Alembic is slow to import

    try:
        current, head = migrate.current(locate(settings).postgres), migrate.head()
    except StoreError as error:
        return Finding("schema", False, str(error), "check SMOLIT_POSTGRES")
    return _finding("schema", current == head, f"at {current or 'nothing'}, newest is {head}", "`smolit up` migrates")


def _read_models(settings: Settings) -> Finding:
    """Do the read models serve that this release declares?"""
    from projections.catalog import PROJECTIONS  # brings SQLAlchemy, which few commands need
    from projections.shape import require_ours

    live = read(Desk(settings, locate(settings)), serving)
    try:
        require_ours(live.name, live.shape, PROJECTIONS)
    except GenerationForeign as error:
        return Finding("read models", False, str(error), "`smolit projection rebuild --all`")
    return Finding("read models", True, f"generation {live.name} serves")


def _processes(settings: Settings) -> Iterator[Finding]:
    """Does the runner run, and every process with it?"""
    if live_runner(settings.data_dir) is None:
        yield Finding("runner", False, "does not run", "`smolit up` or `smolit run all` starts it")
    known = {one.identity: one for one in census(settings.data_dir)}
    for slot in slots(settings.workers):
        yield _process(slot.identity, known.get(slot.identity))


def _process(identity: str, one: Standing | None) -> Finding:
    """Is one process alive, ready and steady?"""
    log = "its lines in logs/smolit.log say why"
    if one is None or one.pid is None:
        return Finding(identity, False, "does not run", log)
    if not one.ready:
        return Finding(identity, False, f"runs, but is not ready after {one.uptime_s or 0:.0f} s", log)
    steady = one.restarts < _MANY_RESTARTS or (one.uptime_s or 0.0) > _LONG_S
    return _finding(identity, steady, f"ready, {one.restarts} restart(s)", log)


def _work(settings: Settings) -> Iterator[Finding]:
    """Does anything wait for long, or lie far behind?"""
    lags, waiting = asyncio.run(behind(settings))
    total = sum(one.records for one in lags)
    yield _finding("lag", total < _FAR_BEHIND, f"{total} records", "`smolit projection lag` shows where")
    for one in waiting:
        seen = f"{one.waiting} task(s), longest {one.oldest_s:.0f} s"
        advice = "no live worker serves it, or it is paused; see `smolit agent list` and `smolit status`"
        yield _finding(f"waiting for {one.agent or 'a choice'}", one.oldest_s < _LONG_S, seen, advice)


def _finding(subject: str, well: bool, seen: str, advice: str) -> Finding:
    """Return a finding; where all is well there is nothing to do."""
    return Finding(subject, well, seen, "" if well else advice)
