"""What a failed call of a back end means: from whatever the client raises to one of a few named troubles."""

from __future__ import annotations

import math
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from agents.llm.backend import BackendFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from openai import APIStatusError

_LONGEST_QUOTE = 200  # characters of what a back end says of its own failure
_TOO_MANY, _REQUEST_TIMEOUT, _SERVER = 429, 408, 500
_HTTP = ("httpx2", "httpcore2", "httpcore", "httpx")
_NEVER_CONNECTED = ("ConnectError", "ConnectTimeout", "PoolTimeout")


def failure_of(error: Exception, most_s: float, now: datetime) -> BackendFailed | None:
    """Return what an error of a call means that was given `most_s` seconds; None: it does not come from outside."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

    match error:
        case TimeoutError() | APITimeoutError():
            return BackendFailed("timed_out", f"no answer within {most_s:.1f} s")
        case APIStatusError():
            return _refused(error, now)
        case APIConnectionError():
            return error.__cause__ if isinstance(error.__cause__, BackendFailed) else _disconnected(error)
        case OpenAIError() | ValueError() | TypeError() | AttributeError() | KeyError():
            return BackendFailed("garbage", f"the reply is no completion: {quote(str(error))}")
        case _ if type(error).__module__.partition(".")[0] in _HTTP:
            return BackendFailed("broke_off", quote(f"it broke off: {error}"))
    return None


def _refused(error: APIStatusError, now: datetime) -> BackendFailed:
    """Return what a status says."""
    status, said = error.status_code, quote(str(error.message))
    wait_s = retry_after_s(error.response.headers, now)
    if status == _TOO_MANY:
        return BackendFailed("rate_limited", f"it answered 429: {said}", wait_s if wait_s is not None else 1.0)
    if status >= _SERVER or status == _REQUEST_TIMEOUT:
        return BackendFailed("server_error", f"it answered {status}: {said}", wait_s)
    return BackendFailed("refused", f"it answered {status}: {said}")


def _disconnected(error: Exception) -> BackendFailed:
    """Return whether a connection was never made, or broke off."""
    cause = error.__cause__
    if type(cause).__name__ in _NEVER_CONNECTED:
        return BackendFailed("unreachable", quote(f"nobody answers there: {cause}"))
    return BackendFailed("broke_off", quote(f"it broke off: {cause or error}"))


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return for how long a server wants to be left alone, in seconds: a number or a date (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after")
    if said is None:
        return None
    with suppress(ValueError):
        seconds = float(said)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    return None


def quote(text: str) -> str:
    """Return a short, one-line quotation."""
    return " ".join(text.split())[:_LONGEST_QUOTE]
