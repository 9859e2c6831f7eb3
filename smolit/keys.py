"""Keys of services that agents call: environment variables of one prefix, by name; a spec can name no other variable."""

import re
from collections.abc import Mapping

from smolit.errors import SettingInvalid

PREFIX = "AGENT_KEY_"
_SOUND = re.compile(r"[\x21-\x7e]{4,4096}")


def agent_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return every key by the name of its variable.

    Raises:
        SettingInvalid: one could not stand in a header; its value is not told.
    """
    found = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    for name, value in sorted(found.items()):
        if not _SOUND.fullmatch(value):
            raise SettingInvalid(f"{name} must be 4 to 4096 printable characters without spaces (its value is hidden)")
    return found
