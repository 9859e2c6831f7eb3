"""Keys of services: named by their variables, refused when they cannot be keys, and never told."""

import pytest

from smolit.errors import SettingInvalid
from smolit.keys import agent_keys
from smolit.process.redact import redactor, secrets_of
from smolit.settings import Settings


def test_keys_are_the_variables_of_one_prefix() -> None:
    """Nothing else of the environment is handed to agents."""
    environ = {"AGENT_KEY_SHOP": "s3cret-shop", "PATH": "/bin", "SMOLIT_POSTGRES": "postgres://u:p@h/d", "XAGENT_KEY_A": "none"}

    assert agent_keys(environ) == {"AGENT_KEY_SHOP": "s3cret-shop"}


@pytest.mark.parametrize("value", ["", "abc", "with space", "line\nbreak", "tab\t", "nul\x00byte", "ünïcode", "x" * 5_000])
def test_a_malformed_key_is_refused_by_name_without_its_value(value: str) -> None:
    """A worker does not start with a key that no header could hold, and does not say what it was."""
    with pytest.raises(SettingInvalid) as refusal:
        agent_keys({"AGENT_KEY_SHOP": value})

    assert "AGENT_KEY_SHOP" in str(refusal.value)
    assert len(value) < 4 or value not in str(refusal.value)


def test_keys_are_hidden_in_logs() -> None:
    """What is a key by its name is blotted out of every log line."""
    redact = redactor(secrets_of(Settings.model_construct(), {"AGENT_KEY_SHOP": "s3cret-shop"}))

    assert redact("asked with s3cret-shop") == "asked with [hidden]"
