"""Start and stop the local stack; also the blows of the chaos harness, which kills and starts single servers."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
from pydantic import SecretStr

from smolit.errors import ServerForeign, ServerUnreachable
from smolit.folder import require_ours, stored_secret
from smolit.folder import wipe as wipe_folder
from smolit.settings import Settings
from smolit.stack import archive, kafka, postgres, process
from smolit.stack.jar import fetch_jars
from smolit.stack.lodging import lodge, programs_for
from smolit.stack.port import HOST
from smolit.stack.record import Name, StackRecord, locked, new_record, read_record
from smolit.stack.server import Progress, Server, begin, finish

NAMES: tuple[Name, ...] = ("kafka", "postgres")  # the order in which they are started and stopped
_MARKS = {"kafka": kafka.mark, "postgres": postgres.mark}
_STOPS = {"kafka": kafka.KafkaServer.stop_with, "postgres": postgres.PostgresServer.stop_with}


@dataclass(frozen=True)
class Endpoints:
    """Where Kafka and Postgres are; `ours` only if both belong to the local stack. The URL contains a password."""

    kafka: str
    postgres: str = field(repr=False)
    ours: bool


def quiet(_said: str) -> None:
    """Tell nobody how it goes."""


def up(settings: Settings, progress: Progress = quiet) -> Endpoints:
    """Have Kafka and Postgres running and return where; those that the settings name are only asked to answer.

    Raises StackError, by name, when one of them cannot be had.
    """
    _ask_foreign(settings)
    local = [name for name in NAMES if not _foreign(settings, name)]
    record = _start(settings, local, progress) if local else new_record()
    return Endpoints(
        kafka=settings.kafka_address or f"{HOST}:{record.kafka.ports[0]}",
        postgres=settings.postgres.get_secret_value() or postgres.address(record.postgres.ports[0], password(settings)),
        ours=len(local) == len(NAMES),
    )


def down(settings: Settings, wipe: bool = False, progress: Progress = quiet) -> None:
    """Stop the local stack, one server after the other, and wait for it; with `wipe` remove all that it kept.

    Raises FolderForeign, before anything is touched, if the data folder is not one that smolit made.
    """
    if not settings.data_dir.exists():
        return
    require_ours(settings.data_dir)
    with locked(settings.data_dir, settings.stack_timeout_s):
        record = read_record(settings.data_dir) or new_record()
        for name in NAMES:
            _stop(settings, record, name, progress)
        if wipe:
            _remove(settings, record)


def start(settings: Settings, name: Name, progress: Progress = quiet) -> None:
    """Start one server of the local stack, with the data it had and, if they are free, the ports."""
    _refuse_foreign(settings, name)
    _start(settings, [name], progress)


def kill(settings: Settings, name: Name) -> int | None:
    """Kill one server of the local stack at once (SIGKILL) and return its process id; None if it did not run."""
    _refuse_foreign(settings, name)
    record = read_record(settings.data_dir)
    running = find(record, name) if record else None
    if running is None:
        return None
    process.kill(running)
    return running.pid


def find(record: StackRecord, name: Name) -> psutil.Process | None:
    """Return the first process of one server of this stack, if it runs."""
    return process.find(_MARKS[name](record.stack_id), record.server(name).pid)


def password(settings: Settings) -> SecretStr:
    """Return the password of the local Postgres, made at random the first time."""
    return stored_secret(settings.data_dir / "postgres_password")


def _start(settings: Settings, names: Sequence[Name], progress: Progress) -> StackRecord:
    """Launch what does not run, then wait for all of it: the servers start at the same time."""
    folder = settings.data_dir
    with locked(folder, settings.stack_timeout_s):
        record = read_record(folder) or new_record()
        servers: list[Server] = []
        for name in names:
            progress(f"starting {name}")
            servers.append(_server(settings, record, name, progress))
            record = begin(servers[-1], folder, record)
        for server in servers:
            record = finish(server, folder, record, settings.stack_timeout_s)
            progress(f"{server.name} answers on port {record.server(server.name).ports[0]}")
        return record


def _server(settings: Settings, record: StackRecord, name: Name, progress: Progress) -> Server:
    """Return one server, ready to be found or launched."""
    return _kafka(settings, record, progress) if name == "kafka" else _postgres(settings, record)


def _kafka(settings: Settings, record: StackRecord, progress: Progress) -> kafka.KafkaServer:
    """Return this stack's Kafka; its jars are fetched, and checked, whenever it is launched."""
    return kafka.KafkaServer(
        stack_id=record.stack_id,
        folder=settings.data_dir / "kafka",
        fetch_jars=lambda: fetch_jars(settings.cache, settings.maven_repository, progress),
        heap_mb=settings.kafka_heap_mb,
        wanted=(settings.kafka_port, settings.kafka_controller_port),
    )


def _postgres(settings: Settings, record: StackRecord) -> postgres.PostgresServer:
    """Return this stack's Postgres; where it lives is decided once, by whoever starts it first."""
    home, user = lodge(settings, record.stack_id)
    return postgres.PostgresServer(
        stack_id=record.stack_id,
        programs=programs_for(settings, user),
        home=home,
        password=password(settings),
        user=user,
        wanted=(settings.postgres_port,),
    )


def _stop(settings: Settings, record: StackRecord, name: Name, progress: Progress) -> None:
    """End one server in good order."""
    running = find(record, name)
    if running:
        progress(f"stopping {name}")
        in_order = process.stop(running, _STOPS[name], settings.stack_timeout_s)
        if name == "kafka" and in_order:
            archive.keep(settings.data_dir / "kafka", settings.cache)


def _remove(settings: Settings, record: StackRecord) -> None:
    """Remove the data folder and, if Postgres had to live outside, its home there."""
    outside = settings.root_dir / record.stack_id
    if outside.exists():
        shutil.rmtree(outside)
    wipe_folder(settings.data_dir)


def _foreign(settings: Settings, name: Name) -> bool:
    """Return whether the settings name a server of this kind, which is then not ours."""
    return bool(settings.kafka if name == "kafka" else settings.postgres.get_secret_value())


def _refuse_foreign(settings: Settings, name: Name) -> None:
    """Keep our hands off a server that is not ours."""
    if _foreign(settings, name):
        raise ServerForeign(f"SMOLIT_{name.upper()} names a server that is not part of the local stack.")


def _ask_foreign(settings: Settings) -> None:
    """Raise ServerUnreachable if a server that the settings name does not answer."""
    if settings.kafka and not kafka.kafka_answers(settings.kafka_address):
        raise ServerUnreachable(f"No Kafka answers at {settings.kafka}, which SMOLIT_KAFKA names{_how(settings)}.")
    url = settings.postgres.get_secret_value()
    if url and postgres.server_version(url) is None:
        raise ServerUnreachable("No Postgres answers at the address in SMOLIT_POSTGRES, or it does not let us in.")


def _how(settings: Settings) -> str:
    """Say by which way we tried to get in, where it is not the open one."""
    protocol = settings.kafka_protocol
    return "" if protocol == "PLAINTEXT" else f", or it does not let us in by {protocol} (SMOLIT_KAFKA_USER, _PASSWORD, _CA)"
