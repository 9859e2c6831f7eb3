"""Secrets do not come back: whatever a service or a tool repeats of what it was given is hidden before anybody keeps it."""

from collections.abc import Collection
from typing import Any

BLOT = "[hidden]"
_SHORTEST = 4  # a shorter value would hide half of the language, and protects nothing


def blotted(value: Any, secrets: Collection[str]) -> Any:
    """Return a JSON value without these secrets, wherever they stand in it."""
    kept = sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True)
    return _blotted(value, kept) if kept else value


def _blotted(value: Any, secrets: list[str]) -> Any:
    """Return a value without the secrets, longer ones first."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, BLOT)
        return value
    if isinstance(value, dict):
        return {_blotted(name, secrets): _blotted(one, secrets) for name, one in value.items()}
    return [_blotted(one, secrets) for one in value] if isinstance(value, list) else value
