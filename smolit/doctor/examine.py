"""The round: every check in its order; what rests on something that is not well is not looked at."""

from collections.abc import Iterator

from smolit.cli.desk import now
from smolit.doctor import contained, llm, log, machine, process, server, work
from smolit.doctor.finding import Finding
from smolit.settings import Settings
from smolit.stack.status import status


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield every finding."""
    yield machine.folder(settings)
    yield machine.disk(settings)
    yield contained.code()
    if not settings.kafka:
        yield machine.java_version()
    servers = status(settings)
    yield from server.servers(settings, servers)
    if not (servers.kafka.running and servers.postgres.running):
        return
    topics, schema = log.topics(settings), log.schema(settings)
    yield topics
    yield schema
    if topics.well:
        yield from server.clocks(settings, now)
    if topics.well and schema.well:
        yield log.logs(settings)
    if schema.well:
        yield log.read_models(settings)
    yield from process.processes(settings)
    yield from llm.models(settings)
    if topics.well and schema.well:
        yield from work.waiting(settings)
