"""The parts of the local stack that need no server."""

import random
import socket
from pathlib import Path

import msgspec
import psutil
import pytest

from smolit.errors import JarMismatch, OsUserMissing, StackBusy
from smolit.stack import jar as jars
from smolit.stack import lodging, process
from smolit.stack.java import major_version
from smolit.stack.local import Endpoints
from smolit.stack.port import choose_ports, is_free
from smolit.stack.postgres import _socket_folder
from smolit.stack.record import StackRecord, locked, new_record, read_record, with_server, write_record


@pytest.fixture
def taken() -> int:
    """A port that somebody listens on for the length of the test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_a_taken_port_is_not_free(taken: int) -> None:
    """A port with a listener cannot be had."""
    assert not is_free(taken)


def test_the_kept_port_comes_before_the_wanted_one() -> None:
    """A stack comes back where its clients know it."""
    assert choose_ports((21_001,), (21_002,), random.Random(1)) == (21_002,)


def test_a_taken_port_is_replaced(taken: int) -> None:
    """When both the kept and the wanted port are in use, some other one is taken."""
    (port,) = choose_ports((taken,), (taken,), random.Random(1))

    assert port != taken
    assert is_free(port)


def test_two_servers_never_get_the_same_port() -> None:
    """Ports that are chosen together differ, even if the same one is wanted."""
    first, second = choose_ports((21_003, 21_003), (0, 0), random.Random(1))

    assert first != second


def test_free_ports_lie_below_the_ephemeral_range() -> None:
    """No client connection can be given a port that was chosen freely."""
    ports = choose_ports((0,) * 20, (0,) * 20, random.Random(1))

    assert max(ports) < 32_768


def test_the_record_survives_a_round_trip(tmp_path: Path) -> None:
    """What one command writes down the next one reads."""
    record = with_server(new_record(), "kafka", pid=7, ports=(1, 2))
    write_record(tmp_path, record)

    assert read_record(tmp_path) == record
    assert record.server("postgres").ports == ()


def test_no_record_before_the_first_start(tmp_path: Path) -> None:
    """A folder that never held a stack remembers nothing."""
    assert read_record(tmp_path) is None


def test_the_stack_is_held_by_one_process(tmp_path: Path) -> None:
    """Who comes second waits, and gives up with a sentence."""
    with (
        locked(tmp_path / "data", 1),
        pytest.raises(StackBusy, match="starting or stopping"),
        locked(tmp_path / "data", 0.05),
    ):
        pytest.fail("two hold the lock")


def test_the_lock_names_every_jar_once() -> None:
    """The lock that ships has the broker, its log binding, and a sha256 for each jar."""
    locked_jars = jars.read_lock()
    names = [jar.file_name for jar in locked_jars]

    assert {"kafka_2.13-4.4.0.jar", "log4j-slf4j-impl-2.25.5.jar"} <= set(names)
    assert len(set(names)) == len(names)
    assert {len(jar.sha256) for jar in locked_jars} == {64}
    assert jars.kafka_version(locked_jars) == "4.4.0"


def test_a_jar_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """A download whose sha256 differs never gets into the cache."""
    bad = jars.Jar("g", "a", "1", sha256="0" * 64)
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    (repository / "g/a/1").mkdir(parents=True)
    (repository / "g/a/1/a-1.jar").write_bytes(b"not what was locked")
    cache.mkdir()

    with pytest.raises(JarMismatch, match=r"a-1\.jar was refused"):
        jars._fetch_one(jars._maven(repository, ""), bad, cache)

    assert list(cache.iterdir()) == []


def test_a_process_is_known_by_its_mark_not_by_its_id(tmp_path: Path) -> None:
    """An id that belongs to somebody else finds nothing; the mark finds the process without any id."""
    mark = f"mark={tmp_path.name}-{random.SystemRandom().random()}"
    endless = ["/bin/sh", "-c", "while :; do sleep 0.05; done", mark]
    pid = process.spawn(endless, cwd=tmp_path, log=tmp_path / "log")
    try:
        assert process.find("no such mark", pid) is None
        assert process.find(mark, psutil.Process().pid) == psutil.Process(pid)
    finally:
        process.kill(psutil.Process(pid))

    assert process.find(mark, pid) is None


def test_a_server_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in our environment does not reach a server."""
    monkeypatch.setenv("CANARY", "secret-canary")
    process.spawn(["/bin/sh", "-c", "env; echo done"], cwd=tmp_path, log=tmp_path / "log")

    assert process.wait_until(lambda: "done" in (tmp_path / "log").read_text(), 5)
    assert "canary" not in (tmp_path / "log").read_text()


def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    """What ignores the request to end is ended after the patience."""
    script = "trap '' TERM; echo ready >&2; while :; do sleep 0.05; done"
    pid = process.spawn(["/bin/sh", "-c", script], cwd=tmp_path, log=tmp_path / "log")
    stubborn = psutil.Process(pid)
    assert process.wait_until(lambda: "ready" in (tmp_path / "log").read_text(), 5)

    process.stop(stubborn, process.signal.SIGTERM, patience_s=0.2)

    assert not process.is_alive(stubborn)


def test_a_deep_folder_has_no_socket(tmp_path: Path) -> None:
    """The kernel's limit for socket names turns the socket off; TCP is left."""
    assert _socket_folder(tmp_path / ("d" * 120), 15432) == ""
    assert _socket_folder(Path('/a "b", c'), 15432) == '"/a ""b"", c"'


def test_what_is_no_java_has_no_version(tmp_path: Path) -> None:
    """A program that tells no version is not taken for a Java."""
    stub = tmp_path / "java"
    stub.write_text("#!/bin/sh\necho 'install a JDK first' >&2\nexit 1\n")
    stub.chmod(0o755)

    assert major_version(stub) == 0


def test_an_unknown_os_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, a user to run Postgres as has to exist."""
    monkeypatch.setattr(lodging.os, "geteuid", lambda: 0)

    with pytest.raises(OsUserMissing, match="SMOLIT_POSTGRES_OS_USER"):
        lodging.os_user("no-such-user-here")


def test_the_password_is_not_shown() -> None:
    """Printing the endpoints does not print the database's address with its password."""
    assert "canary" not in repr(Endpoints("h:1", "postgresql://u:canary@h/d", ours=True))


def test_a_record_of_a_later_release_can_be_read() -> None:
    """Fields that are not known yet do not stop an older release."""
    record = msgspec.json.decode(b'{"stack_id": "a", "kafka": {"pid": 1, "colour": "red"}}', type=StackRecord)

    assert record.kafka.pid == 1
