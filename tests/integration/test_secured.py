"""The main job on servers that let nobody in unasked: a broker with TLS and SCRAM, a Postgres with password and TLS."""

import asyncio
import gc
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from bus.address import Address, Security
from bus.cluster import look
from bus.errors import KafkaUnreachable
from smolit.cli import app
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from store.errors import PostgresUnreachable
from store.postgres import connect
from tests.processes import all_running
from tests.secured import PASSWORD, USER, Certificate, make_certificate, secured_kafka

pytestmark = [
    # A loop that ends right after a TLS connection was closed leaves the rest of its farewell to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect what a test leaves where its warning is passed over, and not in another test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def broker(stack_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A broker that asks for TLS, user and password."""
    with secured_kafka(stack_settings, tmp_path_factory.mktemp("secured")) as address:
        yield address


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "PLAINTEXT"},
        {"protocol": "SASL_SSL", "user": USER, "password": "guessed"},
        {"protocol": "SASL_SSL", "user": USER, "password": PASSWORD, "ca": None},
    ],
    ids=["no user", "a wrong password", "a certificate that nobody trusts"],
)
async def test_nobody_gets_in_by_another_way(broker: Address, wrong: dict[str, str | None]) -> None:
    """One sentence, which names the server and not the password."""
    security = Security(**{"ca": broker.security.ca, **wrong})  # type: ignore[arg-type]

    with pytest.raises(KafkaUnreachable) as refused:
        await look(Address(str(broker), security))

    assert str(broker) in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_task_goes_all_the_way(broker: Address, stack: Endpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every process signs in; a task is answered, learned from and shown, and the password is in no log."""
    way = {"kafka_protocol": "SASL_SSL", "kafka_user": USER, "kafka_password": PASSWORD, "kafka_ca": broker.security.ca}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(stack.postgres.replace(_password(stack.postgres), "guessed"))
    with all_running(Endpoints(broker, stack.postgres, ours=False), tmp_path, **way) as settings:
        answered = app.run(["task", "submit", "6 * 7", "--kind", "arithmetic", "--wait", "--json"])
        answer = json.loads(capsys.readouterr().out)
        judged = app.run(["feedback", "give", answer["task_id"], "--good", "--rater", "ann"])
        healthy = app.run(["doctor"])
        said = capsys.readouterr()
    log = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.log"))

    assert (answered, judged, healthy) == (0, 0, 0), said
    assert answer["output"]["value"] == "42"
    assert os.environ.get("SMOLIT_KAFKA_PASSWORD") is None
    assert PASSWORD not in log + said.out + said.err
    assert settings.kafka == str(broker)


async def test_postgres_is_asked_for_by_tls(stack: Endpoints, tmp_path: Path) -> None:
    """An address may ask for a certificate that is checked: a server without one is refused, one with it is let speak."""
    made = make_certificate(tmp_path)
    asked = f"?sslmode=verify-full&sslrootcert={made.certificate}"
    with pytest.raises(PostgresUnreachable):
        await connect(f"{stack.postgres}{asked}", "test")
    port = urlsplit(stack.postgres).port or 0
    async with tls_before(port, made) as secured:
        connection = await connect(stack.postgres.replace(f":{port}/", f":{secured}/") + asked, "test")
        row = await (await connection.execute("select 6 * 7")).fetchone()
        by_tls = connection.pgconn.ssl_in_use
        await connection.close()

    assert (row, by_tls) == ((42,), True)


@asynccontextmanager
async def tls_before(port: int, made: Certificate) -> AsyncIterator[int]:
    """Speak TLS before the run's Postgres, which was built without: answer its clients' wish, then pass on what they say."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    serving: list[asyncio.Task[None] | None] = []

    async def serve(heard: asyncio.StreamReader, said: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        await heard.readexactly(8)  # SSLRequest of Postgres' protocol
        said.write(b"S")
        await said.start_tls(context)
        inner_heard, inner_said = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(heard, inner_said))
            group.create_task(_pass_on(inner_heard, said))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*(task for task in serving if task))


async def _pass_on(heard: asyncio.StreamReader, said: asyncio.StreamWriter) -> None:
    """Pass on what is heard until there is no more."""
    while content := await heard.read(2**16):
        said.write(content)
        await said.drain()
    said.close()


def _password(address: str) -> str:
    """Return the password in an address."""
    return str(psycopg.conninfo.conninfo_to_dict(address)["password"])
