"""Every read model in PROJECTIONS keeps its promises, on a real Postgres."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count

import psycopg
import pytest

from events.catalog import FACTS
from events.dead_letter import DeadLetter, DeadLetterSettled
from events.task import AgentChosen
from events.wire import Incoming
from projections import naive
from projections.catalog import COMPARED, PROJECTIONS, VIEWS
from projections.column import SCHEMA, metadata
from projections.projection import Logged, Projection
from projections.statement import Statement
from projections.verify import MODELS, compare
from smolit.stack.local import Endpoints
from store.migrate import check, upgrade
from tests.builders import NAMES, Log, life
from tests.histories import batches, history, interleaved
from tests.memory import remember, unlike
from tests.stacks import namespace_on

EVERY = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database for this module; `remember` empties it before it begins."""
    with namespace_on(stack, tmp_path_factory.mktemp("memory")) as mine:
        upgrade(mine.postgres)
        yield mine.postgres


async def test_any_batches_give_the_same_rows(dsn: str) -> None:
    """How the log is cut into transactions leaves no trace."""
    records = history(seed=1)
    whole = await remember(dsn, [records])

    single = await remember(dsn, [[record] for record in records])
    random = await remember(dsn, batches(records, seed=2))

    assert all(whole.tables.values()), "every read model has something to get wrong"
    assert unlike(whole, single) == []
    assert unlike(whole, random) == []


async def test_any_interleaving_of_topics_gives_the_same_rows(dsn: str) -> None:
    """Only the order within a partition matters."""
    records = history(seed=3)
    one = await remember(dsn, [records])

    other = await remember(dsn, batches(interleaved(records, seed=4), seed=5))

    assert unlike(one, other) == []


async def test_a_log_told_twice_changes_nothing(dsn: str) -> None:
    """Every fact may come again, at another offset: the first in the log wins, and the repeats are counted."""
    records = history(seed=6)
    ends = {(record.topic, record.partition): record.offset + 1 for record in records}
    again = [_further(record, ends[record.topic, record.partition]) for record in records]
    once = await remember(dsn, [records])

    twice = await remember(dsn, [records, again])

    assert unlike(once, twice, but=("fold_tally", "dead_letters")) == []
    assert twice.tables["fold_tally"] != once.tables["fold_tally"]


@pytest.mark.parametrize("seed", range(10, 16))
async def test_live_tables_equal_the_naive_fold(dsn: str, seed: int) -> None:
    """What the projections wrote is, byte for byte, what plain dicts say; whatever came in, good or bad."""
    records = history(seed, tasks=20)
    live = await remember(dsn, batches(records, seed))

    found = compare(live, records, NAMES)

    assert [model for model in found.models if not model.equal] == []
    assert found.equal
    assert found.records == len(records)


async def test_the_naive_fold_stops_where_the_tables_stand(dsn: str) -> None:
    """Tables that lag behind Kafka are compared with as much of Kafka as they have seen."""
    records = history(seed=20)
    live = await remember(dsn, [records[: len(records) // 2]])

    found = compare(live, records, NAMES)

    assert found.equal
    assert found.records == len(records) // 2


@EVERY
async def test_a_read_model_that_misses_a_fact_is_caught(dsn: str, projection: Projection) -> None:
    """Whichever read model forgets one fact of its own, the comparison names it and no other."""
    records = _telling()
    forgetful = [_forgetting(one) if one is projection else one for one in PROJECTIONS]
    live = await remember(dsn, [records], forgetful)

    found = compare(live, records, NAMES)

    assert not found.equal
    own = {relation.name for relation in projection.compared}
    assert {model.name for model in found.models if not model.equal} <= own


async def test_one_record_that_postgres_refuses_does_not_stop_the_rest(dsn: str) -> None:
    """It is found by halving, set aside with Postgres' own words, and everything else is applied."""
    records = Log().add(*(fact for number in range(9) for fact in life(f"task-{number}"))).records

    live = await remember(dsn, [records], [*PROJECTIONS, _choking_on("task-4")])

    parked = [line for line in live.tables["dead_letters"].values() if "cannot_be_stored" in line]
    assert len(parked) == 1
    assert "invalid input syntax" in parked[0]
    assert len(live.tables["events"]) == len(records) - 1


async def test_what_became_of_each_record_is_counted(dsn: str) -> None:
    """Applied, parked and repeated records of a partition add up to its position: none was lost."""
    records = history(seed=22)
    live = await remember(dsn, batches(records, seed=22))

    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select topic, partition, applied + parked + repeated from fold_tally").fetchall()

    assert {(topic, partition): total for topic, partition, total in rows} == live.positions


def test_migrations_make_exactly_these_tables(dsn: str) -> None:
    """The schema of the read models holds the declared tables and the log's partitions, and nothing else."""
    with psycopg.connect(dsn) as connection:
        query = "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'p')"
        found = {row[0] for row in connection.execute(query, (SCHEMA,))}

    assert check(dsn) == []
    partitions = {f"event_log_v1_p{number}" for number in range(8)}
    assert found == {table.name for table in metadata.tables.values()} | partitions


def test_every_read_model_is_listed_and_compared() -> None:
    """Names are unique, tables carry a version, and each read model has a naive twin."""
    names = [projection.name for projection in PROJECTIONS]
    views = [view.name for view in VIEWS]
    tables = [table for projection in PROJECTIONS for table in projection.tables]

    assert len(set(names)) == len(names)
    assert len(set(views)) == len(views)
    assert all(table.name.endswith(f"_v{one.version}") for one in PROJECTIONS for table in one.tables)
    assert set(names) - set(views) == set()
    assert len(tables) + 2 == len(COMPARED) == len(metadata.tables)
    assert set(MODELS) | {"events", "fold_tally", "dead_letters"} == {relation.name for relation in COMPARED}


def test_no_read_model_names_a_generation() -> None:
    """Which generation is meant is said by the search path; a view that named one would go on showing it after a switch."""
    named = re.compile(r"\b(g\d+|public)\.")

    assert [view.name for view in VIEWS if named.search(view.query)] == []
    assert [one.name for one in COMPARED if named.search(one.relation)] == []


def test_every_fact_is_read_by_a_read_model() -> None:
    """No fact falls between the read models."""
    read = {fact for projection in PROJECTIONS for fact in projection.reads}

    assert {*FACTS, DeadLetter, DeadLetterSettled} - read == set()


@cache
def _telling() -> list[Incoming]:
    """Return a history in which the last fact that each read model reads tells something to it, and to no other."""
    return next(records for records in map(history, count(19)) if not _untold(records))


def _untold(records: Sequence[Incoming]) -> list[str]:
    """Return the read models that would be the same without the last fact that they read, or would change another one."""
    seen = naive.read(records, NAMES).seen
    whole = {name: model(seen) for name, model in MODELS.items()}
    found = []
    for one in PROJECTIONS:
        place = max((place for place, item in enumerate(seen) if type(item.fact) in one.reads), default=0)
        less = [*seen[:place], *seen[place + 1 :]]
        own = {relation.name for relation in one.compared} & set(MODELS)
        changed = {name for name in (own | _showing(one)) & set(MODELS) if MODELS[name](less) != whole[name]}
        if own and (not changed & own or changed - own):
            found.append(one.name)
    return found


def _showing(projection: Projection) -> set[str]:
    """Return what is compared of other read models out of tables of this one."""
    tables = [table.name for table in projection.tables]
    others = [relation for one in PROJECTIONS if one is not projection for relation in one.compared]
    return {relation.name for relation in others if any(table in relation.relation for table in tables)}


def _further(record: Incoming, offsets: int) -> Incoming:
    """Return the same record later in its partition."""
    return Incoming(record.topic, record.partition, record.offset + offsets, record.key, record.headers, record.value)


def _choking_on(task_id: str) -> Projection:
    """Return a read model that asks Postgres for the impossible when it hears of a task's choice."""

    def write(facts: Sequence[Logged]) -> list[Statement]:
        return [Statement(b"select 'five'::int") for logged in facts if logged.event.fact.key == task_id]

    return Projection(name="choking", version=1, tables=(), views=(), reads=(AgentChosen,), compared=(), write=write)


def _forgetting(projection: Projection) -> Projection:
    """Return the read model without the last fact of each batch that it would write."""

    def write(facts: Sequence[Logged]) -> list[Statement]:
        return projection.write(facts[:-1])

    fields = {name: getattr(projection, name) for name in projection.__struct_fields__}
    return Projection(**{**fields, "write": write})
