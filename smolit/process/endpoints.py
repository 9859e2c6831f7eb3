"""Where Kafka and Postgres are, without starting anything: what the settings name, else what the local stack wrote down."""

from smolit.errors import ServerUnreachable
from smolit.settings import Settings
from smolit.stack import local
from smolit.stack.local import Endpoints
from smolit.stack.port import HOST
from smolit.stack.postgres import address
from smolit.stack.record import Name, StackRecord, new_record, read_record


def locate(settings: Settings) -> Endpoints:
    """Return both addresses; whether somebody answers there is found out by who connects.

    Raises:
        ServerUnreachable: the local stack was never started here.
    """
    record = read_record(settings.data_dir) or new_record()
    foreign_kafka, foreign_postgres = settings.kafka_address, settings.postgres.get_secret_value()
    return Endpoints(
        kafka=foreign_kafka or f"{HOST}:{_port(record, 'kafka')}",
        postgres=foreign_postgres or address(_port(record, "postgres"), local.password(settings)),
        ours=not foreign_kafka and not foreign_postgres,
    )


def _port(record: StackRecord, name: Name) -> int:
    """Return where a server of the local stack was last started."""
    ports = record.server(name).ports
    if not ports:
        raise ServerUnreachable(f"There is no local {name.capitalize()} yet; start it with `smolit up`.")
    return ports[0]
