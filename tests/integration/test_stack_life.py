"""The life of a local stack: started twice, killed, restarted, stopped, wiped; its data survives all but the last."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from smolit.errors import FolderForeign, ServerForeign, ServerUnreachable
from smolit.settings import Settings, load_settings
from smolit.stack import local
from smolit.stack.postgres import mark
from smolit.stack.record import Name, new_record, read_record, with_server, write_record
from smolit.stack.status import status
from tests.said import PATIENCE_S
from tests.stacks import guarded, private_settings


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a stack that these tests may kill; its folder lies deep and has what paths may have."""
    folder = tmp_path_factory.mktemp("own") / "a b, 'c\"é" / ("deep" * 25) / "data"
    settings = private_settings(folder)
    with guarded(folder):
        yield settings


async def write(kafka: str, topic: str, value: bytes) -> None:
    """Create a topic if need be and store one record in it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    if topic not in await admin.list_topics():
        await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=2_000_000) as producer:
        await producer.send_and_wait(topic, value)


async def read(kafka: str, topic: str, count: int) -> list[bytes]:
    """Return the first records of a topic."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, max_partition_fetch_bytes=2_000_000) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 0)
        return [bytes((await asyncio.wait_for(consumer.getone(), PATIENCE_S)).value or b"") for _ in range(count)]


def pids(settings: Settings) -> tuple[int | None, int | None]:
    """Return the process ids of both servers."""
    now = status(settings)
    return now.kafka.pid, now.postgres.pid


def test_a_second_up_finds_the_first(own: Settings) -> None:
    """Starting what runs changes neither process nor address."""
    first = local.up(own)
    before = pids(own)

    assert local.up(own) == first
    assert pids(own) == before
    assert None not in before


def test_the_status_tells_ports_versions_and_memory(own: Settings) -> None:
    """A running stack says where it is and what it is."""
    endpoints = local.up(own)
    now = status(own)

    assert endpoints.kafka == f"127.0.0.1:{now.kafka.port}"
    assert (now.kafka.version, now.postgres.version) == ("4.4.0", "18.6")
    assert (now.kafka.rss_bytes or 0) > 50_000_000
    assert (now.postgres.rss_bytes or 0) > 5_000_000


def test_durability_is_on(own: Settings) -> None:
    """Postgres says a commit is done when it is on disk, and asks for a password."""
    url = local.up(own).postgres
    with psycopg.connect(url) as connection:
        shown = [connection.execute(f"show {name}").fetchone() for name in ("fsync", "synchronous_commit", "TimeZone")]

    assert shown == [("on",), ("on",), ("UTC",)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(local.password(own).get_secret_value(), "guess"))


async def test_a_large_record_passes_and_no_topic_appears_by_itself(own: Settings) -> None:
    """The broker takes a record of 1.5 MB, and creates no topic on demand."""
    kafka = local.up(own).kafka
    await write(kafka, "large", b"x" * 1_500_000)
    stored = await read(kafka, "large", 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    described = await admin.describe_topics(["never-created"])
    await admin.close()

    assert [len(value) for value in stored] == [1_500_000]
    assert described[0]["error_code"] == 3  # unknown topic


async def test_kafka_keeps_records_and_port_when_it_is_killed(own: Settings) -> None:
    """After kill -9 the broker comes back where it was, with what it acknowledged."""
    first = local.up(own)
    await write(first.kafka, "killed", b"before")
    killed = local.kill(own, "kafka")
    silent = status(own).kafka
    local.start(own, "kafka")
    await write(first.kafka, "killed", b"after")

    assert silent.running is False
    assert pids(own)[0] not in (None, killed)
    assert await read(first.kafka, "killed", 2) == [b"before", b"after"]


def test_postgres_keeps_rows_and_port_when_it_is_killed(own: Settings) -> None:
    """After kill -9, with a session at work, the server comes back where it was, with what it committed."""
    first = local.up(own)
    with psycopg.connect(first.postgres) as connection:
        connection.execute("create table if not exists kept (id int primary key)")
        connection.execute("insert into kept values (1) on conflict do nothing")
    busy = psycopg.connect(first.postgres)
    busy.execute("select 1")
    killed = local.kill(own, "postgres")
    again = local.up(own)
    with psycopg.connect(again.postgres) as connection:
        rows = connection.execute("select id from kept").fetchall()
    busy.close()

    assert (again, rows) == (first, [(1,)])
    assert pids(own)[1] not in (None, killed)


def test_the_broker_of_a_lost_record_is_found_again(own: Settings) -> None:
    """If a command dies between launch and note, the next one finds the server by its mark and starts no second one."""
    local.up(own)
    before = pids(own)
    forgotten = with_server(read_record(own.data_dir) or new_record(), "kafka", pid=0)
    write_record(own.data_dir, with_server(forgotten, "postgres", pid=1))
    local.up(own)

    assert pids(own) == before


def test_stale_files_do_not_keep_postgres_down(own: Settings) -> None:
    """A lock file that names a process id which somebody else has now does not look like a running server."""
    local.up(own)
    local.kill(own, "postgres")
    record = read_record(own.data_dir) or new_record()
    homes = (own.data_dir / "postgres", own.root_dir / record.stack_id)
    data = next(home / "data" for home in homes if home.exists())
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n{record.postgres.ports[0]}\n\n127.0.0.1\n\nready\n")
    local.start(own, "postgres")

    assert status(own).postgres.version is not None


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_a_server_whose_port_is_taken_moves(own: Settings, name: Name) -> None:
    """If somebody else took the port meanwhile, the server takes another one and clients are told that one."""
    local.up(own)
    local.kill(own, name)
    record = read_record(own.data_dir) or new_record()
    with socket.create_server(("127.0.0.1", record.server(name).ports[0])):
        local.start(own, name)
        moved = status(own)

    assert {"kafka": moved.kafka, "postgres": moved.postgres}[name].port != record.server(name).ports[0]
    assert {"kafka": moved.kafka, "postgres": moved.postgres}[name].version is not None


def test_two_at_once_start_one_stack(own: Settings) -> None:
    """Two commands at the same time end with the same two servers."""
    local.up(own)
    local.kill(own, "postgres")
    code = "import sys; from tests.stacks import private_settings; from smolit.stack import local;"
    code += "from pathlib import Path; print(local.up(private_settings(Path(sys.argv[1]))).kafka)"
    command = [sys.executable, "-c", code, str(own.data_dir)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) for _ in range(2)]
    said = {process.communicate()[0] for process in running}

    assert [process.returncode for process in running] == [0, 0]
    assert len(said) == 1
    assert len([p for p in psutil.process_iter() if _is_server(p, own)]) == 1


def test_ctrl_c_does_not_reach_the_servers(own: Settings) -> None:
    """An interrupt at the terminal hits the whole foreground group; it ends the command and not what it started."""
    code = "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"  # a test run may ignore it
    code += "from pathlib import Path; from tests.stacks import private_settings as of;"
    code += "from smolit.stack import local; local.start(of(Path(sys.argv[1])), 'postgres');"
    code += "print('up', flush=True); time.sleep(60)"
    local.kill(own, "postgres")
    command = subprocess.Popen(
        [sys.executable, "-c", code, str(own.data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
        start_new_session=True,
    )
    assert command.stdout is not None
    command.stdout.readline()
    os.killpg(command.pid, signal.SIGINT)
    command.communicate(timeout=PATIENCE_S)

    assert status(own).postgres.version is not None


def test_down_ends_both_and_keeps_the_data(own: Settings) -> None:
    """After down nothing of the stack runs, its ports are free, and doing it again is no error."""
    local.up(own)
    local.down(own)
    local.down(own)

    assert pids(own) == (None, None)
    assert (own.data_dir / "stack.json").exists()


def test_a_wipe_leaves_nothing(tmp_path: Path) -> None:
    """A wiped stack leaves neither its folder nor a home of Postgres outside of it."""
    settings = private_settings(tmp_path / "data")
    with guarded(settings.data_dir):
        local.start(settings, "postgres")
        record = read_record(settings.data_dir) or new_record()
        local.down(settings, wipe=True)

        assert not settings.data_dir.exists()
        assert not (settings.root_dir / record.stack_id).exists()


def test_a_foreign_folder_is_not_wiped(tmp_path: Path) -> None:
    """A data folder without our mark is refused, before anything happens to it."""
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(FolderForeign):
        local.down(private_settings(tmp_path), wipe=True)

    assert (tmp_path / "thesis.txt").exists()


def test_named_servers_are_used_and_never_touched(own: Settings, tmp_path: Path) -> None:
    """With both servers named in the settings nothing is started, killed, or called ours."""
    theirs = local.up(own)
    settings = load_settings(data_dir=tmp_path / "data", kafka=theirs.kafka, postgres=theirs.postgres)
    endpoints = local.up(settings)

    assert (endpoints.kafka, endpoints.postgres, endpoints.ours) == (theirs.kafka, theirs.postgres, False)
    assert status(settings).postgres.version == "18.6"
    assert not settings.data_dir.exists()
    with pytest.raises(ServerForeign):
        local.kill(settings, "kafka")


def test_a_named_server_that_is_away_is_told(tmp_path: Path) -> None:
    """One sentence names the variable, and shows no password."""
    nowhere = "postgresql://u:canary@127.0.0.1:1/d"
    for named in ({"kafka": "127.0.0.1:1"}, {"postgres": nowhere}):
        with pytest.raises(ServerUnreachable, match="SMOLIT_") as refused:
            local.up(load_settings(data_dir=tmp_path / "data", **named))
        assert "canary" not in str(refused.value)


def test_a_killed_test_run_leaves_no_server(tmp_path: Path) -> None:
    """The guard stops and wipes a run's stack even if the run is killed with SIGKILL."""
    code = "import sys, time; from tests.stacks import guarded, private_settings; from smolit.stack import local;"
    code += "from pathlib import Path; folder = Path(sys.argv[1])\nwith guarded(folder):\n"
    code += "    local.start(private_settings(folder), 'postgres'); print('up', flush=True); time.sleep(60)"
    folder = tmp_path / "data"
    run = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    assert run.stdout is not None
    run.stdout.readline()
    record = read_record(folder) or new_record()
    run.kill()
    run.communicate()
    end = time.monotonic() + PATIENCE_S
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)

    assert not folder.exists()
    assert local.find(record, "postgres") is None


def _is_server(process: psutil.Process, settings: Settings) -> bool:
    """Return whether a process is the first one of this stack's Postgres."""
    record = read_record(settings.data_dir) or new_record()
    try:
        return mark(record.stack_id) in process.cmdline()
    except psutil.NoSuchProcess:
        return False


_ROOT = Path(__file__).resolve().parents[2]
