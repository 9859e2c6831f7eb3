"""Settings: defaults, the environment, secret files, and one clear sentence for what cannot be used."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from events.task import RewardTerms
from smolit.errors import SettingInvalid
from smolit.process.parts.intake import reward_terms
from smolit.process.roster import environment
from smolit.settings import Settings, load_settings, of_tenant


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("SMOLIT_")]:
        monkeypatch.delenv(name)


def test_nothing_has_to_be_set() -> None:
    """Without any variable there is one tenant, and neither Kafka nor Postgres is named."""
    settings = load_settings()

    assert (settings.tenants, settings.kafka, settings.postgres.get_secret_value()) == (("default",), "", "")


def test_every_setting_is_described() -> None:
    """Each setting has a sentence that says what it does."""
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_settings_cannot_be_changed() -> None:
    """What was read once stays as it is."""
    with pytest.raises(ValidationError):
        load_settings().topic_prefix = "other"


def test_tenants_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is written as people write one."""
    monkeypatch.setenv("SMOLIT_TENANTS", "acme, globex")

    assert load_settings().tenants == ("acme", "globex")


def test_a_tenant_may_have_its_own_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    """One number is everybody's, and a tenant may have another; nothing set means quality alone."""
    assert [of_tenant(numbers, "acme") for numbers in (load_settings().costs, load_settings().latency)] == [0.0, 0.0]
    monkeypatch.setenv("SMOLIT_TENANTS", "acme, globex")
    monkeypatch.setenv("SMOLIT_COSTS", "0.2, acme=0.5")
    monkeypatch.setenv("SMOLIT_LATENCY", "0.5")
    monkeypatch.setenv("SMOLIT_COST_HALF_MICROUSD", "2000, globex=10")

    settings = load_settings()

    terms = {tenant: reward_terms(settings, tenant) for tenant in settings.tenants}
    assert terms == {
        "acme": RewardTerms("balance/1", 0.5, 0.5, 2_000, 1_000_000),
        "globex": RewardTerms("balance/1", 0.2, 0.5, 10, 1_000_000),
    }


def test_a_dial_reaches_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process is given in its environment is what its starter had."""
    settings = load_settings(tenants="acme,globex", costs="0.2, acme=0.5", latency_half_us="1000, globex=7")
    for name, value in environment(settings, {}).items():
        monkeypatch.setenv(name, value)

    again = load_settings()

    assert (again.costs, again.latency_half_us) == (settings.costs, settings.latency_half_us)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("COSTS", "1.5", "weights lie between 0 and 1"),
        ("COSTS", "nan", "weights lie between 0 and 1"),
        ("COSTS", "much", "valid number"),
        ("COSTS", "default=0.5", "one number for everybody"),
        ("COSTS", "0, default=0.5, default=0.4", "one number for everybody"),
        ("COSTS", "0, acme=0.5", "acme is no tenant"),
        ("LATENCY", "0.5, default=0.9", "nothing is left for quality"),
        ("COST_HALF_MICROUSD", "0", "whole numbers from 1"),
        ("LATENCY_HALF_US", "1.5", "whole numbers from 1"),
    ],
)
def test_a_dial_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, given: str, said: str) -> None:
    """The variable is named, and why it cannot be used."""
    monkeypatch.setenv("SMOLIT_COSTS", "0.2")
    monkeypatch.setenv(f"SMOLIT_{name}", given)

    with pytest.raises(SettingInvalid, match=f"SMOLIT_{name}.*: .*{said}"):
        load_settings()


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty number is the default, not an error."""
    monkeypatch.setenv("SMOLIT_MAX_ATTEMPTS", "")

    assert load_settings().max_attempts == 3


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in the folder of secrets sets what no variable sets."""
    (tmp_path / "smolit_choice_secret").write_text("hush\n")
    monkeypatch.setenv("SMOLIT_SECRETS_DIR", str(tmp_path))

    secret = load_settings().choice_secret

    assert secret is not None
    assert secret.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMOLIT_MAX_ATTEMPTS", "many"),
        ("SMOLIT_HEARTBEAT_S", "-1"),
        ("SMOLIT_TENANTS", "a.b"),
        ("SMOLIT_TENANTS", "a,a"),
        ("SMOLIT_TOPIC_PREFIX", "Up.per"),
        ("SMOLIT_KAFKA_PORT", "70000"),
        ("SMOLIT_LOG_LEVEL", "loud"),
    ],
)
def test_a_malformed_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The error names the variable and shows the value, in one line."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingInvalid) as refused:
        load_settings()

    assert str(refused.value).startswith(f"{name}: ")
    assert value.split(",")[0] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_malformed_secret_is_hidden() -> None:
    """The value of a secret does not get into an error."""
    with pytest.raises(SettingInvalid) as refused:
        load_settings(choice_secret=["canary"])

    assert "SMOLIT_CHOICE_SECRET" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    """Neither the draw secret nor a database password is in what is printed of the settings."""
    settings = load_settings(choice_secret="canary1", postgres="postgresql://u:canary2@h/d")

    assert "canary" not in repr(settings)
    assert "canary" not in settings.model_dump_json()


def test_a_misspelled_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that would set nothing is an error, with the nearest name as a hint."""
    monkeypatch.setenv("SMOLIT_KAFAK", "h:1")

    with pytest.raises(SettingInvalid, match=r"SMOLIT_KAFAK is not a setting of smolit; did you mean SMOLIT_KAFKA\?"):
        load_settings()


def test_a_missing_folder_of_secrets_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Secrets that were promised and are not there stop the start."""
    monkeypatch.setenv("SMOLIT_SECRETS_DIR", str(tmp_path / "nowhere"))

    with pytest.raises(SettingInvalid, match="SMOLIT_SECRETS_DIR"):
        load_settings()
