"""One stretch of load on the whole system, from the first request until everything it led to is in Postgres."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from bench.floor import PRODUCER
from bench.path.cpu import Spent, spent, used
from bench.path.crew import Children, pids
from bench.path.tally import log_ends
from bus.reader import Place
from events.topics import Names
from learning.outcomes import Outcomes
from smolit.client import Client, Origin
from smolit.demo.course import Course
from smolit.demo.drive import Asking
from smolit.demo.watch import Watch
from smolit.errors import CheckFailed
from store.postgres import Connection

PATIENCE_S = 120.0
_POLL_S = 0.05
_LANDED = """
select (select count(*) from public.decisions where scope = %(scope)s),
       (select count(*) from public.tasks where scope = %(scope)s and state = 'completed'),
       (select count(*) from public.examples where scope = %(scope)s)"""
_WAL = "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"


class Landed(Struct, frozen=True):
    """How many rows of our tasks the read models have."""

    choices: int
    answers: int
    examples: int

    def __sub__(self, before: "Landed") -> "Landed":
        """Return what came since."""
        return Landed(self.choices - before.choices, self.answers - before.answers, self.examples - before.examples)


@dataclass(frozen=True)
class Scene:
    """Where the load goes, what is asked, and what there is to measure."""

    kafka: str
    names: Names
    tenant: str
    scope: str
    outcomes: Outcomes
    connection: Connection
    servers: Mapping[str, Sequence[int]]
    children: Children
    cores: Sequence[int]

    @property
    def groups(self) -> dict[str, Sequence[int]]:
        """Return the process ids of all that takes part, by name."""
        return {**pids(self.children), PRODUCER: [os.getpid()], **self.servers}


@dataclass(frozen=True)
class Phase:
    """What one stretch has shown; `before` and `after` are the ends of the log."""

    course: Course
    spent: Spent
    landed: Landed
    encoder_s: float
    wal_bytes: int
    before: dict[Place, int] = field(repr=False)
    after: dict[Place, int] = field(repr=False)

    @property
    def tasks_per_s(self) -> float:
        """Return the tasks whose whole way was gone, per second."""
        return self.landed.examples / self.spent.seconds


async def run_phase(
    scene: Scene, client: Client, name: str, load: Callable[[Asking], Awaitable[None]], encoder_s: Callable[[], float]
) -> Phase:
    """Put a load on the system and return what it showed once all of it has landed.

    Raises:
        CheckFailed: tasks were lost or failed.
    """
    course = Course()
    watch = Watch(scene.kafka, scene.names, course, time.monotonic)
    origin = Origin(scene.names, scene.tenant, f"smolit/{PRODUCER}")
    await watch.start()
    try:
        places, rows, wal, encoded = (
            await log_ends(scene.kafka, scene.names),
            await _landed(scene),
            await _wal(scene),
            encoder_s(),
        )
        before = used(scene.groups, scene.cores)
        run_id = f"{scene.scope}/{name}"
        asking = Asking(client, origin, watch, scene.outcomes, course, run_id, scene.scope, time.monotonic, PATIENCE_S)
        await load(asking)
        await _wait_landed(scene, rows, course)
        after = used(scene.groups, scene.cores)
        landed, written, reading_s = await _landed(scene) - rows, await _wal(scene) - wal, encoder_s() - encoded
    finally:
        await watch.stop()
    return Phase(course, spent(before, after), landed, reading_s, written, places, await log_ends(scene.kafka, scene.names))


async def _wait_landed(scene: Scene, before: Landed, course: Course) -> None:
    """Wait until every task has all its rows."""
    wanted, end = len(course.runs), time.monotonic() + PATIENCE_S
    while True:
        rows = await _landed(scene) - before
        if min(rows.choices, rows.answers, rows.examples) >= wanted:
            return
        if time.monotonic() > end:
            raise CheckFailed(
                f"of {wanted} tasks {rows.choices} were chosen for, {rows.answers} completed, {rows.examples} learned"
            )
        await asyncio.sleep(_POLL_S)


async def _landed(scene: Scene) -> Landed:
    row = await (await scene.connection.execute(_LANDED, {"scope": scene.scope})).fetchone()
    return Landed(*row) if row else Landed(0, 0, 0)


async def _wal(scene: Scene) -> int:
    """Return how many bytes Postgres has written to its log so far."""
    row = await (await scene.connection.execute(_WAL)).fetchone()
    return int(row[0]) if row else 0
