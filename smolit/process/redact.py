"""Secrets never leave by way of a log: they are known by value and blotted out wherever they turn up."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from smolit.settings import Settings

BLOT = "[hidden]"
SHORTEST = 4  # a shorter value would blot out half of the language, and protects nothing
_NAMED_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)

Redact = Callable[[Any], Any]


def secrets_of(settings: Settings, environ: Mapping[str, str], others: Iterable[str] = ()) -> frozenset[str]:
    """Return every secret value that this process may meet: settings, environment variables named like one, others.

    Of a database address the password counts by itself, since drivers quote addresses in parts.
    """
    keys = [key for text in (settings.llm_key.get_secret_value(), environ.get("SMOLIT_LLM_KEY", "")) for key in _listed(text)]
    given = [value.get_secret_value() for value in vars(settings).values() if isinstance(value, SecretStr)]
    named = [value for name, value in environ.items() if _NAMED_SECRET.search(name)]
    addresses = [*given, *others]
    passwords = [part for address in addresses for part in _passwords(address)]
    return frozenset(value for value in (*addresses, *named, *passwords, *keys) if len(value) >= SHORTEST)


def redactor(secrets: Iterable[str]) -> Redact:
    """Return what blots the secrets out of a value: texts, and whatever holds texts."""
    longest_first = sorted(secrets, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redact(value: Any) -> Any:
        if pattern is None or value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return pattern.sub(BLOT, value)
        if isinstance(value, Mapping):
            if _is_clean(value, pattern):
                return value
            return {redact(name): redact(inner) for name, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [redact(inner) for inner in value]
        return pattern.sub(BLOT, repr(value))

    return redact


def _is_clean(line: Mapping[Any, Any], pattern: re.Pattern[str]) -> bool:
    """Return whether a mapping holds nothing but texts, none with a secret: nearly every line, and found in one look."""
    try:
        return pattern.search("\0".join((*line, *line.values()))) is None
    except TypeError:
        return False


def _listed(text: str) -> list[str]:
    """Return the keys in `a=KEY, b=KEY`: each may turn up alone."""
    return [part.partition("=")[2].strip() for part in text.split(",") if "=" in part]


def _passwords(address: str) -> list[str]:
    """Return the password in a URL or DSN, as written and as meant."""
    found = re.findall(r"password\s*=\s*'?([^'\s&]+)", address)
    if "://" in address:
        try:
            found.append(urlsplit(address).password or "")
        except ValueError:  # not a URL after all: nothing to take out of it
            return found
    return [form for password in found for form in (password, unquote(password))]
