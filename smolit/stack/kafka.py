"""The local Kafka: Apache Kafka 4 in KRaft mode, broker and controller in one JVM, on loopback only."""

import asyncio
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from bus.address import options
from smolit.errors import ServerFailed
from smolit.stack.archive import java_options
from smolit.stack.java import find_java
from smolit.stack.port import HOST, is_open
from smolit.stack.process import run, spawn
from smolit.stack.record import Name

_PROBE_MS = 2_000

# Paths are relative to the broker's working folder: log.dirs is split at commas, properties files are Latin-1.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=log

# One broker holds the only copy; few partitions of what is internal, so that a start is quick.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
num.partitions=1
default.replication.factor=1
min.insync.replicas=1

# Topics are provisioned and asserted by smolit; a group is ready as soon as its first member is.
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.retention.minutes=525600
message.max.bytes=2097152
# Some clients compress by themselves, in ways that aiokafka cannot undo; whoever may write could stop all who read.
compression.type=uncompressed

# After kill -9 the controller refuses the new broker until the old one's session has run out: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# A laptop, not a cluster: the compaction buffer alone would take 128 MB of the heap.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
auto.leader.rebalance.enable=false
"""

_LOG4J = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %m (%c{1})%n%throwable
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.start.name=kafka.server.KafkaRaftServer
logger.start.level=info
"""


def mark(stack_id: str) -> str:
    """Return the argument by which the broker's process is known."""
    return f"-Dsmolit.stack={stack_id}"


@dataclass(frozen=True)
class KafkaServer:
    """The broker: where it lives, what it runs on, which ports it wants (clients', controller's), and whose it is."""

    stack_id: str
    folder: Path
    fetch_jars: Callable[[], Path]
    heap_mb: int
    wanted: tuple[int, ...]

    name: ClassVar[Name] = "kafka"
    stop_with: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def mark(self) -> str:
        """The argument by which the broker's process is known."""
        return mark(self.stack_id)

    def prepare(self, ports: tuple[int, ...]) -> None:
        """Write the broker's configuration and, the first time, format its log; raises ServerFailed."""
        port, controller_port = ports
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = _PROPERTIES.format(host=HOST, port=port, controller_port=controller_port)
        (self.folder / "server.properties").write_text(text)
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        if not (self.folder / "log" / "meta.properties").exists():
            self._format()

    def launch(self, ports: tuple[int, ...], log: Path) -> int:  # noqa: ARG002 - the ports are in its configuration
        """Start the broker and return its process id; it does not answer yet."""
        java, jars = find_java(), self.fetch_jars()
        faster = java_options(java, jars, self.folder)
        command = [*_jvm(java, jars, self.heap_mb), *faster, self.mark, "kafka.Kafka", "server.properties"]
        return spawn(command, cwd=self.folder, log=log)

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Return whether the broker serves."""
        return is_open(ports[0]) and kafka_answers(f"{HOST}:{ports[0]}")

    def port_was_taken(self, said: str) -> bool:
        """Return whether the broker's log says that another process has one of its ports."""
        return "Address already in use" in said

    def _format(self) -> None:
        """Give an empty log folder its cluster id."""
        tool = ["kafka.tools.StorageTool", "format", "--config", "server.properties", "--cluster-id", self.stack_id]
        done = run([*_jvm(find_java(), self.fetch_jars(), heap_mb=128), *tool, "--ignore-formatted"], cwd=self.folder)
        if done.returncode:
            raise ServerFailed(f"Kafka's log folder could not be formatted: {done.stdout.strip()[-500:]}")


def _jvm(java: Path, jars: Path, heap_mb: int) -> list[str]:
    """Return the command line of a JVM that can run what is in Kafka's jars."""
    return [
        str(java),
        f"-Xms{min(256, heap_mb)}m",
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        # One broker of a laptop: the second compiler took as much of a core as serving did, for its first minutes.
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "-Dlog4j2.configurationFile=log4j2.properties",
        "-cp",
        f"{jars}/*",
    ]


def kafka_answers(bootstrap: str) -> bool:
    """Return whether a Kafka answers there and has a broker that serves; callable with or without an event loop."""
    seen: list[bool] = []
    probe = threading.Thread(target=lambda: seen.append(asyncio.run(_has_broker(bootstrap))))
    probe.start()
    probe.join()
    return seen == [True]


async def _has_broker(bootstrap: str) -> bool:
    """Ask for the cluster's metadata once."""
    client = AIOKafkaClient(**options(bootstrap), request_timeout_ms=_PROBE_MS)
    try:
        await client.bootstrap()
    except (KafkaError, OSError):
        return False
    else:
        return bool(client.cluster.brokers())
    finally:
        await client.close()
