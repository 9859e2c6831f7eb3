"""Bring the tracker to where the log is, and say whether it holds what the log says. The log is read, never written."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from events.wire import Incoming, decode
from smolit.apart import address, exists
from smolit.errors import TrackerUnusable
from smolit.tracking.content import Content, differences, digest
from smolit.tracking.fold import Told, changed, content, fold
from smolit.tracking.ground import SCHEMA, held_alone
from smolit.tracking.keeper import Keeper

Said = Callable[[str], None]


class Caught(Struct, frozen=True, kw_only=True):
    """What a tracker was brought up to: scopes that had to be written, and the offset of the next fact."""

    scopes: tuple[str, ...]
    facts: int
    next_offset: int


class Verified(Struct, frozen=True, kw_only=True):
    """Whether what is tracked equals the fold of the facts that were: digests of both, what differs, facts still to come."""

    equal: bool
    scopes: int
    runs: int
    facts: int
    behind: int
    log_sha256: str
    tracker_sha256: str
    different: tuple[tuple[str, str], ...]


def told_by(records: Iterable[Incoming]) -> list[Told]:
    """Return the facts of the topic `models`, which has one partition, with their offsets."""
    return [Told(record.offset, decode(record.headers, record.value)) for record in records]


def catch_up(dsn: str, told: Sequence[Told], said: Said = lambda _: None, anew: bool = False) -> Caught:
    """Write all that the tracker lacks of these facts; `anew` takes away first what it holds. May be killed anywhere.

    Raises:
        TrackingLibraryMissing: MLflow is not installed.
        PostgresUnreachable, TrackerUnusable: it cannot be written to now.
    """
    end = told[-1].offset + 1 if told else 0
    with held_alone(dsn, anew), Keeper.open(address(dsn, SCHEMA)) as keeper:
        since = keeper.position()
        _assert_log(since, end)
        wanted = content(fold(told))
        names = sorted(changed(since - 1, told) & wanted.keys())
        for number, name in enumerate(names, start=1):
            keeper.put(name, wanted[name])
            said(f"{number} of {len(names)} scopes: {name}")
        keeper.settle(end)
    return Caught(scopes=tuple(names), facts=sum(one.offset >= since for one in told), next_offset=end)


def verify(dsn: str, told: Sequence[Told]) -> Verified:
    """Compare what is tracked with the fold of the facts up to where the tracker is.

    Raises:
        TrackingLibraryMissing: MLflow is not installed.
        PostgresUnreachable, TrackerUnusable: it cannot be read now, or nothing was ever tracked.
    """
    if not exists(dsn, f"{SCHEMA}.experiments"):
        raise TrackerUnusable("nothing was tracked yet; `smolit model track` begins")
    with held_alone(dsn), Keeper.open(address(dsn, SCHEMA)) as keeper:
        position, held = keeper.position(), keeper.held()
    wanted = wanted_at(told, position)
    different = differences(wanted, held)
    known = sum(one.offset < position for one in told)
    return Verified(
        equal=not different,
        scopes=len(held),
        runs=sum(len(line.runs) for line in held.values()),
        facts=known,
        behind=len(told) - known,
        log_sha256=digest(wanted),
        tracker_sha256=digest(held),
        different=tuple(different),
    )


def wanted_at(told: Sequence[Told], position: int) -> Content:
    """Return what is to be held once all facts before an offset are tracked."""
    return content(fold(one for one in told if one.offset < position))


def _assert_log(position: int, end: int) -> None:
    if position > end:
        raise TrackerUnusable(
            f"the tracker is at offset {position} and the log ends at {end}: it is of another log; "
            "`smolit model track --rebuild` makes it anew"
        )
