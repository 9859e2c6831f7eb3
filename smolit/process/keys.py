"""The keys of those who sign on this machine."""

from agents.signature import Keyring
from smolit.folder import choice_secret
from smolit.settings import Settings


def keyring(settings: Settings) -> Keyring:
    """Return the keys of those who sign on this machine."""
    return Keyring(settings.data_dir / "keys", choice_secret(settings).get_secret_value().encode())
