"""The projections process on a real Kafka: it reads, stands by, is fenced off, and what it wrote can be verified."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bus.reader import PartitionReader, Place
from events.topics import Names
from projections import performance
from projections.catalog import PROJECTIONS
from projections.column import SCHEMA
from projections.fold import CONSUMER, ProjectionFold
from projections.merge import Row
from projections.performance import AGENT_PERFORMANCE
from projections.projection import Logged, Projection, merging
from projections.runner import places
from projections.statement import Statement
from projections.verify import read_live, read_log, verify
from store.errors import Fenced
from store.fold import DurableFold
from store.follow import apply_batch
from store.generation import enter
from store.migrate import upgrade
from store.postgres import connect
from tests.builders import dead_letter, example, given, life, registered
from tests.integration.memory_kit import TENANTS, Process, publish
from tests.stacks import Namespace

FACTS = [
    *(fact for number in range(20) for fact in life(f"task-{number}", at=number)),
    *(example(number / 20, task_id=f"task-{number}") for number in range(20)),
    *(given(1.0, f"task-{number}") for number in range(20)),
    registered(),
    dead_letter(),
]


async def test_the_process_reads_to_the_end_and_verifies(namespace: Namespace) -> None:
    """All facts and dead letters arrive, the lag falls to zero, and live equals the naive fold of Kafka."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    process = Process(namespace)

    await process.reaches(lambda lag: lag == 0)
    found = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))
    await process.stop()

    assert found.equal, [model for model in found.models if not model.equal]
    assert found.records == len(FACTS)
    rows = {model.name: model.live_rows for model in found.models}
    assert (rows["tasks"], rows["decisions"], rows["dead_letters"]) == (20, 20, 1)


async def test_a_second_process_stands_by_until_the_first_is_gone(namespace: Namespace) -> None:
    """One folds; the other one takes over where it stopped, and nothing is applied twice."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    first = Process(namespace)
    await first.reaches(lambda lag: lag == 0)
    second = Process(namespace)

    await asyncio.sleep(0)
    waiting = await second.projector.lag()
    await first.stop()
    await publish(namespace, life("later"))
    await second.reaches(lambda lag: lag == 0)
    found = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))
    await second.stop()

    assert waiting is None
    assert found.equal
    assert found.records == len(FACTS) + 6


async def test_the_log_holds_every_text_as_it_was_said_and_a_repeat_once(namespace: Namespace) -> None:
    """Tabs, line ends, backslashes and what COPY takes for null come back; a batch of repeats and news adds the news."""
    upgrade(namespace.postgres)
    odd, key = 'a\tb\\c\nd\r\\N \\. "é" \\t {x}', "back\\slash\\N"
    said = [*life(key), given(1.0, key, comment=odd)]
    await publish(namespace, said)
    process = Process(namespace)
    await process.reaches(lambda lag: lag == 0)
    await publish(namespace, [*said, *life("new"), *said])
    await process.reaches(lambda lag: lag == 0)
    found = await verify(namespace.kafka, namespace.postgres, Names(namespace.topic_prefix))
    await process.stop()

    assert found.equal, [model for model in found.models if not model.equal]
    connection = await connect(namespace.postgres, "tests")
    rows = await (await connection.execute("select key, payload ->> 'comment' from public.events")).fetchall()
    await connection.close()
    assert len(rows) == len(said) + len(life("new"))
    assert [row for row in rows if row[1]] == [(key, odd)]


async def test_a_zombie_writes_nothing(namespace: Namespace) -> None:
    """Who finds the position moved by somebody else stops, and leaves no row."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    names = Names(namespace.topic_prefix)
    connection = await connect(namespace.postgres, "tests")
    fold, where = DurableFold(CONSUMER, connection), places(names, TENANTS)
    stale = await fold.positions(where)
    records = await read_log(namespace.kafka, await _ends(namespace, stale))
    await apply_batch(fold, dict(stale), records, ProjectionFold(names).apply)
    before = await read_live(connection)

    with pytest.raises(Fenced):
        await apply_batch(fold, stale, records, ProjectionFold(names).apply)
    after = await read_live(connection)
    await connection.close()

    assert after == before


async def test_a_step_alone_does_not_wait_for_the_disk(namespace: Namespace) -> None:
    """Rows and position of a step go together, so a crash may take both; whatever else is committed waits."""
    upgrade(namespace.postgres)
    connection = await connect(namespace.postgres, "tests")

    async with connection.transaction():
        entered = await enter(connection, SCHEMA, "serving")
        within = await (await connection.execute("show synchronous_commit")).fetchone()
    after = await (await connection.execute("show synchronous_commit")).fetchone()
    await connection.close()

    assert entered
    assert (within, after) == (("off",), ("on",))


async def test_a_wrong_sign_is_caught(namespace: Namespace) -> None:
    """A projection that subtracts where it should add differs from the naive fold, and is named with a row."""
    upgrade(namespace.postgres)
    await publish(namespace, FACTS)
    names = Names(namespace.topic_prefix)
    connection = await connect(namespace.postgres, "tests")
    fold = DurableFold(CONSUMER, connection)
    positions = await fold.positions(places(names, TENANTS))
    records = await read_log(namespace.kafka, await _ends(namespace, positions))
    planted = [_wrong_sign() if one is AGENT_PERFORMANCE else one for one in PROJECTIONS]

    await apply_batch(fold, positions, records, ProjectionFold(names, planted).apply)
    await connection.close()
    found = await verify(namespace.kafka, namespace.postgres, names)

    assert not found.equal
    (work,) = [model for model in found.models if not model.equal]
    assert work.name == "agent_work"
    assert work.difference is not None
    assert '"duration_us":-' in (work.difference[0] or "")


async def _ends(namespace: Namespace, positions: Mapping[Place, int]) -> dict[Place, int]:
    """Return where each partition ends now."""
    reader = PartitionReader(namespace.kafka, "tests")
    await reader.start(positions)
    try:
        return await reader.ends()
    finally:
        await reader.stop()


def _wrong_sign() -> Projection:
    """Return agent performance that takes time away."""

    def rows(logged: Logged) -> list[Row]:
        return [{**row, "duration_us": -row.get("duration_us", 0)} for row in performance.work_rows(logged)]

    def write(facts: Sequence[Logged]) -> list[Statement]:
        work, duration, use = AGENT_PERFORMANCE.tables
        others = (merging(duration, performance.duration_rows), merging(use, performance.use_rows))
        return [*merging(work, rows)(facts), *(statement for other in others for statement in other(facts))]

    fields = {name: getattr(AGENT_PERFORMANCE, name) for name in AGENT_PERFORMANCE.__struct_fields__}
    return Projection(**{**fields, "write": write})
