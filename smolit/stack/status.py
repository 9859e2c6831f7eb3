"""How the local stack is: what runs, where, which version, how much memory; looking changes nothing."""

from dataclasses import dataclass
from pathlib import Path

from smolit.settings import Settings
from smolit.stack import kafka, local, postgres, process
from smolit.stack.jar import kafka_version, read_lock
from smolit.stack.port import HOST
from smolit.stack.record import Name, new_record, read_record


@dataclass(frozen=True)
class ServerStatus:
    """One server now. None is what cannot be known, such as the process of a server that is not ours."""

    name: Name
    ours: bool
    running: bool
    pid: int | None
    port: int | None
    version: str | None
    rss_bytes: int | None


@dataclass(frozen=True)
class StackStatus:
    """Both servers now, and where the local stack keeps its data."""

    data_dir: Path
    kafka: ServerStatus
    postgres: ServerStatus


def status(settings: Settings) -> StackStatus:
    """Return how both servers are, ours or those that the settings name."""
    url = settings.postgres.get_secret_value()
    return StackStatus(
        data_dir=settings.data_dir,
        kafka=_foreign_kafka(settings.kafka_address) if settings.kafka else _local(settings, "kafka"),
        postgres=_foreign_postgres(url) if url else _local(settings, "postgres"),
    )


def _local(settings: Settings, name: Name) -> ServerStatus:
    """Return how one server of the local stack is."""
    record = read_record(settings.data_dir) or new_record()
    found, ports = local.find(record, name), record.server(name).ports
    return ServerStatus(
        name=name,
        ours=True,
        running=found is not None,
        pid=found.pid if found else None,
        port=ports[0] if ports else None,
        version=_local_version(settings, name, ports) if found else None,
        rss_bytes=process.memory_bytes(found) if found else None,
    )


def _local_version(settings: Settings, name: Name, ports: tuple[int, ...]) -> str | None:
    """Return the version of a server of ours that answers."""
    if name == "postgres":
        return postgres.server_version(postgres.address(ports[0], local.password(settings)))
    return kafka_version(read_lock()) if kafka.kafka_answers(f"{HOST}:{ports[0]}") else None


def _foreign_kafka(bootstrap: str) -> ServerStatus:
    """Return what can be said of somebody else's Kafka; the protocol does not tell its release."""
    return ServerStatus("kafka", False, kafka.kafka_answers(bootstrap), None, None, None, None)


def _foreign_postgres(url: str) -> ServerStatus:
    """Return what can be said of somebody else's Postgres."""
    version = postgres.server_version(url)
    return ServerStatus("postgres", False, version is not None, None, None, version, None)
