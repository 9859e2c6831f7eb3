"""Backup and restore on real servers: what comes back is what was there, and no side effect is asked for twice."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from agents.effects import LedgerEffects
from agents.errors import EffectUnknown
from agents.pipeline import Effect
from bus.admin import provision
from bus.producer import Published, Publisher
from bus.refill import FILLER_HEADER, Refill, commit_offsets, group_offsets
from events.event import Event, Fact
from events.topics import DEFAULT_TENANT, REQUESTS, TASKS, Names
from events.wire import Incoming, Outgoing, encode
from learning.artefact import read
from projections.runner import Projector
from projections.verify import verify
from smolit.cli import app
from smolit.process.roster import environment
from smolit.settings import Settings, load_settings
from smolit.stack.local import Endpoints
from store.claim import Hold
from store.migrate import upgrade
from store.postgres import connect
from tests.artefacts import artefact
from tests.builders import life, registered, spec
from tests.integration import bus_kit as kit
from tests.integration.hands_kit import task_id
from tests.stacks import Namespace, namespace_on

TASK = task_id(7)


@dataclass(frozen=True)
class Home:
    """An installation whose processes do not run, and an empty database to restore it into."""

    names: Names
    settings: Settings
    spare: Settings

    def settle(self, patch: pytest.MonkeyPatch, settings: Settings) -> None:
        """Let the command line work on one of the two databases."""
        for name, value in environment(settings, {}).items():
            patch.setenv(name, value)


@pytest.fixture
def home(stack: Endpoints, namespace: Namespace, tmp_path: Path) -> Iterator[Home]:
    """Topics and tables with a little of everything in them."""
    with namespace_on(stack, tmp_path / "spare") as other:
        names = Names(namespace.topic_prefix)
        spare = load_settings(
            data_dir=tmp_path / "spare", topic_prefix=namespace.topic_prefix, kafka=stack.kafka, postgres=other.postgres
        )
        asyncio.run(provision(stack.kafka, names.all([DEFAULT_TENANT])))
        upgrade(namespace.postgres)
        yield Home(names, namespace.settings, spare)


async def publish(home: Home, outgoing: Sequence[Outgoing]) -> list[Published]:
    """Put records into the log."""
    publisher = Publisher(home.settings.kafka, "test")
    await publisher.start()
    places = await publisher.publish(outgoing)
    await publisher.stop()
    return places


def facts(home: Home, *events: Event[Fact]) -> list[Outgoing]:
    """Return the records of facts."""
    return [encode(home.names.of(event.fact.event_type.topic), event) for event in events]


async def project(home: Home, settings: Settings) -> None:
    """Fold the log into the read models, to its end."""
    projector = Projector(settings.kafka, settings.postgres.get_secret_value(), home.names, [DEFAULT_TENANT])
    done = asyncio.Event()
    folding = asyncio.create_task(projector.run(done.is_set))
    await kit.until(lambda: _caught_up(projector))
    done.set()
    await folding


async def _caught_up(projector: Projector) -> bool:
    return await projector.lag() == 0


def fill(home: Home, request: Published) -> None:
    """Give the tables rows that no fold brings back: an attempt that runs, its claim, an outbox row, a blob."""
    origin = f"{request.topic}/{request.partition}/{request.offset}"
    with psycopg.connect(home.settings.postgres.get_secret_value()) as database:
        database.execute(
            "insert into ops.work_task (task_id, tenant, state, priority, deadline, fact, cause)"
            " values (%s, 't', 'open', 1, now() + interval '1 hour', '{}', '{}')",
            (TASK,),
        )
        database.execute(
            "insert into ops.work_attempt (task_id, attempt, tenant, agent, state, priority, not_before, epoch, worker, context,"
            " cause) values (%s, 1, 't', 'a', 'running', 1, now(), 1, 'w', '{}', '{}')",
            (TASK,),
        )
        database.execute(
            "insert into ops.request_claim (request_key, tenant, payload_sha256, origin, task_id)"
            " values (gen_random_uuid(), 't', 'x', %s, %s)",
            (origin, TASK),
        )
        database.execute(
            "insert into ops.outbox (shard, topic, key, headers, value) values (0, 'x', 'k', '[]', %s)", (b"\x00\\\t\n\xff",)
        )
        database.execute("insert into ops.blob (sha256, content) values ('d', %s)", (bytes(range(256)),))
        database.execute("insert into ops.fold_position values ('dispatch', %s, 0, 3)", (home.names.of(TASKS),))


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Return what the operational tables hold."""
    tables = ("work_task", "work_attempt", "request_claim", "outbox", "blob", "fold_position", "effect")
    with psycopg.connect(settings.postgres.get_secret_value()) as database:
        return {
            name: database.execute(f"select * from ops.{name} order by 1, 2").fetchall()
            for name in tables
            if name != "fold_position"
        } | {
            "fold_position": database.execute(
                "select * from ops.fold_position where consumer not like 'projections.%' order by 1, 2, 3"
            ).fetchall()
        }


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command."""
    capsys.readouterr()
    code = app.run(list(words))
    out, err = capsys.readouterr()
    return code, out, err


async def _all_records(home: Home) -> list[tuple[int, int, bytes | None]]:
    """Return what the tasks topic holds."""
    topic = home.names.of(TASKS)
    async with kit.reader(home.settings.kafka, {(topic, part): 0 for part in range(TASKS.partitions)}) as source:
        ends = await source.ends()
        found: list[tuple[int, int, bytes | None]] = []
        while len(found) < sum(ends.values()):
            found += [(record.partition, record.offset, record.value) for record in await source.fetch()]
    return sorted(found)


def test_what_is_restored_is_what_was_there(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every record at its offset, every row, the committed offsets; the read models folded anew are true.

    The second backup into the same folder adds what is new; the archive alone proves the read models; a target in which
    something is, is refused.
    """
    folder, group = tmp_path / "kept", f"{home.names.prefix}-selection"
    home.settle(monkeypatch, home.settings)
    asyncio.run(publish(home, facts(home, registered(spec=spec()), *(fact for n in range(4) for fact in life(task_id(n))))))
    (request,) = asyncio.run(publish(home, [Outgoing(home.names.requests_of(DEFAULT_TENANT), b"k", (), b"{}")]))
    asyncio.run(commit_offsets(home.settings.kafka, group, {(home.names.of(TASKS), 1): 2}))
    fill(home, request)
    version = artefact(home.settings.data_dir / "models", 1)
    first = said(capsys, "backup", str(folder), "--json")
    asyncio.run(publish(home, facts(home, *life(task_id(9)))))
    second = said(capsys, "backup", str(folder), "--json")
    asyncio.run(project(home, home.settings))
    proven = said(capsys, "projection", "verify", "--all", "--archive", str(folder), "--json", "-")
    log, tables = asyncio.run(_all_records(home)), rows(home.settings)
    occupied = said(capsys, "restore", str(folder))

    asyncio.run(kit.delete(home.settings.kafka, *home.names.all([DEFAULT_TENANT])))
    home.settle(monkeypatch, home.spare)
    dry = said(capsys, "restore", str(folder), "--dry-run")
    (kept,) = (folder / "models" / version.model_id).glob("state.bin")
    state = kept.read_bytes()
    kept.write_bytes(b"torn")
    torn = said(capsys, "restore", str(folder), "--dry-run")
    kept.write_bytes(state)
    restored = said(capsys, "restore", str(folder))
    assert (dry[0], restored[0]) == (0, 0), restored[2]
    again = said(capsys, "restore", str(folder))
    asyncio.run(project(home, home.spare))
    true = asyncio.run(verify(home.spare.kafka, home.spare.postgres.get_secret_value(), home.names))

    assert (first[0], second[0], json.loads(first[1])["records"]) == (0, 0, 26)
    assert (json.loads(second[1])["records"], json.loads(second[1])["number"]) == (32, 2)
    assert [one.name for one in sorted(folder.glob("tables-*"))] == ["tables-2"]
    assert (proven[0], json.loads(proven[1])["equal"]) == (0, True)
    assert (torn[0], "missing or damaged" in torn[2]) == (1, True)
    assert read(home.spare.data_dir / "models", version).settings["gain"] == 1.0
    assert occupied[0] == 1
    assert "restore into an empty one" in occupied[2]
    assert again[0] == 1
    assert asyncio.run(_all_records(home)) == log
    assert rows(home.spare) == tables
    assert true.equal
    assert asyncio.run(group_offsets(home.spare.kafka, group)) == {(home.names.of(TASKS), 1): 2}
    asyncio.run(_no_effect_twice(home, f"{request.topic}/{request.partition}/{request.offset + 1}"))


async def _no_effect_twice(home: Home, after: str) -> None:
    """A task from before the restore asks no provider that takes no key: it may have been asked since the backup."""
    connection = await connect(home.spare.postgres.get_secret_value(), "test")
    asked: list[str] = []

    async def call(key: str) -> str:
        asked.append(key)
        return "done"

    try:
        next_id = await (await connection.execute("select nextval(pg_get_serial_sequence('ops.outbox', 'id'))")).fetchone()
        effects = LedgerEffects(connection, Hold(TASK, 1, 1))
        with pytest.raises(EffectUnknown, match="restore"):
            await effects.once(Effect("mail", "mail.example", "sha", False), call)
        once = await effects.once(Effect("pay", "bank.example", "sha", True), call)
        await connection.execute("update ops.request_claim set origin = %s", (after,))
        later = await effects.once(Effect("post", "mail.example", "sha", False), call)
    finally:
        await connection.close()

    assert next_id == (2,)
    assert (once, later, len(asked)) == ("done", "done", 2)


def test_a_backup_of_another_log_is_not_continued(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Segments of two logs in one folder would be neither; nor is a folder taken that holds something else."""
    home.settle(monkeypatch, home.settings)
    assert said(capsys, "backup", str(tmp_path / "kept"))[0] == 0
    topic = home.names.of(TASKS)
    asyncio.run(kit.delete(home.settings.kafka, topic))
    asyncio.run(provision(home.settings.kafka, {topic: TASKS}))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("mine")

    anew = said(capsys, "backup", str(tmp_path / "kept"))
    foreign = said(capsys, "backup", str(tmp_path / "foreign"))

    assert (anew[0], foreign[0]) == (1, 1)
    assert f"{topic} is not the one that this backup is from" in anew[2]
    assert "not empty" in foreign[2]


async def test_gaps_in_a_log_are_filled_so_that_offsets_stay(kafka: str) -> None:
    """A foreign producer's transactions leave marks that take offsets; what stands for them is no event."""
    async with kit.a_topic(kafka) as topic:
        kept = [Incoming(topic, 0, offset, b"k", (), b"%d" % offset) for offset in (2, 3, 5)]
        async with Refill(kafka) as refill:
            await refill.fill((topic, 0), kept, 7)
        async with kit.reader(kafka, {(topic, 0): 0}) as source:
            found: list[Incoming] = []
            while len(found) < 7:
                found += await source.fetch()

    assert [record for record in found if record.value is not None] == kept
    assert [record.offset for record in found if record.headers == ((FILLER_HEADER, b"1"),)] == [0, 1, 4, 6]
    assert REQUESTS.cleanup == "delete"  # nothing of ours is compacted away in a log that a restore fills
