"""A Kafka that lets nobody in without TLS, user and password: the local stack's, with a listener of another kind."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.address import Address, Security
from smolit.folder import claim
from smolit.settings import Settings
from smolit.stack import kafka
from smolit.stack.jar import fetch_jars
from smolit.stack.java import find_java
from smolit.stack.port import HOST
from smolit.stack.process import run
from smolit.stack.record import new_record
from smolit.stack.server import begin, finish
from tests.stacks import guarded

USER, PASSWORD = "smolit", "canary-kafka-6f1d"

_LISTENERS = """
listeners=DOOR://{host}:{port},INSIDE://{host}:{inside},CONTROLLER://{host}:{controller}
advertised.listeners=DOOR://{host}:{port},INSIDE://{host}:{inside}
listener.security.protocol.map=DOOR:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.door.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.door.ssl.keystore.type=PEM
listener.name.door.ssl.keystore.location=server.pem
"""


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""

    key: Path
    certificate: Path


def make_certificate(folder: Path) -> Certificate:
    """Make one with OpenSSL; without the program the tests that need one are skipped."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here to make a certificate with")
    made = Certificate(folder / "key.pem", folder / "certificate.pem")
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    files = ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files], check=True, capture_output=True
    )
    return made


@dataclass(frozen=True)
class SecuredKafka(kafka.KafkaServer):
    """The broker, behind a listener that asks for TLS and SCRAM."""

    certificate: Certificate

    def prepare(self, ports: tuple[int, ...]) -> None:
        """Write the configuration of the local broker with other listeners, and format its log with a user."""
        port, controller, inside = ports
        super().prepare((port, controller))
        self.secure(_LISTENERS.format(host=HOST, port=port, controller=controller, inside=inside))

    def secure(self, listeners: str) -> None:
        """Put the secured listeners in the place of the open one."""
        path = self.folder / "server.properties"
        kept = [line for line in path.read_text().splitlines() if "listeners=" not in line and "protocol.map" not in line]
        path.write_text("\n".join(kept) + listeners)
        pem = self.certificate.key.read_text() + self.certificate.certificate.read_text()
        (self.folder / "server.pem").write_text(pem)

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Return whether the broker lets its user in."""
        return kafka.is_open(ports[0]) and kafka.kafka_answers(self.address(ports[0]))

    def address(self, port: int, password: str = PASSWORD) -> Address:
        """Return where it is, with the way in."""
        security = Security(protocol="SASL_SSL", user=USER, password=password, ca=str(self.certificate.certificate))
        return Address(f"{HOST}:{port}", security)

    def _format(self) -> None:
        """Give an empty log folder its cluster id and its one user."""
        tool = ["kafka.tools.StorageTool", "format", "--config", "server.properties", "--cluster-id", self.stack_id]
        user = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        done = run([*kafka._jvm(find_java(), self.fetch_jars(), heap_mb=128), *tool, *user], cwd=self.folder)
        assert done.returncode == 0, done.stdout


@contextmanager
def secured_kafka(settings: Settings, folder: Path) -> Iterator[Address]:
    """Lend one, gone afterwards however the test ends."""
    record = new_record()
    with guarded(folder):
        claim(folder)
        server = SecuredKafka(
            stack_id=record.stack_id,
            folder=folder / "kafka",
            fetch_jars=lambda: fetch_jars(settings.cache, settings.maven_repository, lambda _said: None),
            heap_mb=256,
            wanted=(0, 0, 0),
            certificate=make_certificate(folder),
        )
        record = finish(server, folder, begin(server, folder, record), settings.stack_timeout_s)
        yield server.address(record.kafka.ports[0])
