"""The way into a Kafka: given by settings, handed to every client, shown nowhere."""

import ssl
from pathlib import Path

import pytest

from bus.address import Address, Security, options, security_of
from smolit.errors import SettingInvalid
from smolit.process.endpoints import locate
from smolit.settings import load_settings
from streams.app import _credentials

PASSWORD = "canary-kafka-password"


def secured(protocol: str = "SASL_PLAINTEXT", **more: str) -> Address:
    """Return an address that asks for a user."""
    settings = load_settings(
        kafka="a:1,b:2", kafka_protocol=protocol, kafka_user="ann", kafka_password=PASSWORD, postgres="postgresql://x", **more
    )
    address = locate(settings).kafka
    assert isinstance(address, Address)
    return address


def test_a_plain_address_is_open() -> None:
    """What nobody says anything of is spoken to as ever."""
    assert options("a:1") == {"bootstrap_servers": "a:1", "security_protocol": "PLAINTEXT"}
    assert _credentials("a:1") is None


def test_clients_are_given_user_and_password() -> None:
    """aiokafka's words for the settings, and Faust's."""
    address = secured(kafka_mechanism="SCRAM-SHA-256")

    assert options(address) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ann",
        "sasl_plain_password": PASSWORD,
    }
    faust = _credentials(address)
    assert (faust.protocol.value, faust.mechanism.value, faust.password) == ("SASL_PLAINTEXT", "SCRAM-SHA-256", PASSWORD)


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_certificates_are_checked(protocol: str) -> None:
    """TLS without a look at host and certificate would be none."""
    trust = options(secured(protocol))["ssl_context"]

    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert _credentials(secured(protocol)).protocol.value == protocol


def test_the_password_is_shown_nowhere() -> None:
    """Neither as text nor in a representation: addresses stand in messages and logs."""
    address = secured()

    assert PASSWORD not in f"{address} {address!r} {security_of(address)!r} {address.security}"
    assert str(address) == "a:1,b:2"


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    """No sign-in as nobody, no certificates that are not there; the password is not repeated."""
    with pytest.raises(SettingInvalid, match="SMOLIT_KAFKA_PASSWORD: SMOLIT_KAFKA_PROTOCOL needs a user") as refused:
        load_settings(kafka="a:1", kafka_protocol="SASL_SSL", kafka_password=PASSWORD)
    assert PASSWORD not in str(refused.value)
    with pytest.raises(SettingInvalid, match="SMOLIT_KAFKA_PASSWORD"):
        load_settings(kafka="a:1", kafka_protocol="SASL_SSL", kafka_user="ann")
    with pytest.raises(SettingInvalid, match="SMOLIT_KAFKA_CA: is not a file"):
        load_settings(kafka="a:1", kafka_protocol="SSL", kafka_ca=tmp_path / "none.pem")
    with pytest.raises(SettingInvalid, match="SMOLIT_KAFKA_PROTOCOL"):
        load_settings(kafka="a:1", kafka_protocol="SCRAM")


def test_the_password_may_lie_in_a_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers mount it."""
    (tmp_path / "smolit_kafka_password").write_text(PASSWORD)
    monkeypatch.setenv("SMOLIT_SECRETS_DIR", str(tmp_path))
    settings = load_settings(kafka="a:1", kafka_protocol="SASL_SSL", kafka_user="ann")

    assert security_of(settings.kafka_address) == Security(protocol="SASL_SSL", user="ann", password=PASSWORD)
