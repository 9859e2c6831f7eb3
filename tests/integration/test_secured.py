"""The main job on servers that let nobody in unasked: a broker with TLS and SCRAM, a Postgres with password and TLS."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

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

pytestmark = pytest.mark.timeout(300)  # a broker of its own, and all processes on it


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
    address = f"{stack.postgres}?sslmode=verify-full&sslrootcert={made.certificate}"
    with pytest.raises(PostgresUnreachable):
        await connect(address, "test")
    with psycopg.connect(stack.postgres, autocommit=True) as admin:
        _switch_on(admin, made)
        try:
            connection = await _let_in(address)
            row = await (await connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).fetchone()
            await connection.close()
        finally:
            for name in ("ssl", "ssl_key_file", "ssl_cert_file"):
                admin.execute(f"alter system reset {name}".encode())
            admin.execute("select pg_reload_conf()")

    assert row == (True,)


def _switch_on(admin: "psycopg.Connection[tuple[object, ...]]", made: Certificate) -> None:
    """Give the server a certificate, in its own folder and as its own user wants it."""
    row = admin.execute("show data_directory").fetchone()
    assert row
    home = Path(str(row[0]))
    for name, source in (("ssl_key_file", made.key), ("ssl_cert_file", made.certificate)):
        inside = home / source.name
        inside.write_bytes(source.read_bytes())
        inside.chmod(0o600)
        os.chown(inside, home.stat().st_uid, home.stat().st_gid)
        admin.execute(f"alter system set {name} = '{source.name}'".encode())
    admin.execute("alter system set ssl = on")
    admin.execute("select pg_reload_conf()")


async def _let_in(address: str) -> "psycopg.AsyncConnection[tuple[object, ...]]":
    """Connect as soon as the server has read its settings anew."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await connect(address, "test")
            except PostgresUnreachable:
                await asyncio.sleep(0.05)


def _password(address: str) -> str:
    """Return the password in an address."""
    return str(psycopg.conninfo.conninfo_to_dict(address)["password"])
