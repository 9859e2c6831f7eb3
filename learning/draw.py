"""Random draws that anybody with the secret can repeat, and nobody without it can predict."""

import hashlib
import hmac
import math
from collections.abc import Sequence

from learning.errors import InvalidProbabilities

_UNIT = 2.0**-53  # a float64 holds 53 bits: every draw is exact, and 1.0 is never reached


def draw(secret: bytes, *parts: str | int) -> float:
    """Return a uniform number in [0, 1) fixed by the secret and the parts (HMAC-SHA256, its first 53 bits).

    The parts are framed by type and length, so ("ab", "c") and ("a", "bc"), or 1 and "1", draw apart.
    """
    code = hmac.new(secret, b"".join(_frame(part) for part in parts), hashlib.sha256).digest()
    return unit_float(code)


def unit_float(digest: bytes) -> float:
    """Return the first 53 bits of a digest (at least 8 bytes) as a number in [0, 1)."""
    return (int.from_bytes(digest[:8], "big") >> 11) * _UNIT


def sample(probabilities: Sequence[float], u: float) -> int:
    """Return the index whose share of [0, 1) holds u, adding up the shares in the order given.

    Where rounding leaves the sum just below u, the last index with a positive share has it.
    Raises InvalidProbabilities for a negative or non-finite share, a sum off 1 by more than 1e-9, or u outside [0, 1).
    """
    _check(probabilities, u)
    reached = 0.0
    last = 0
    for index, share in enumerate(probabilities):
        if share > 0.0:
            last = index
            reached += share
            if u < reached:
                return index
    return last


def _frame(part: str | int) -> bytes:
    kind, text = (b"i", str(part)) if isinstance(part, int) else (b"s", part)
    encoded = text.encode("utf-8")
    return kind + len(encoded).to_bytes(8, "big") + encoded


def _check(probabilities: Sequence[float], u: float) -> None:
    if not 0.0 <= u < 1.0:
        raise InvalidProbabilities(f"the draw {u!r} is not in [0, 1)")
    if not all(math.isfinite(share) and share >= 0.0 for share in probabilities):
        raise InvalidProbabilities("a probability is negative or not finite")
    if abs(math.fsum(probabilities) - 1.0) > 1e-9:
        raise InvalidProbabilities(f"the probabilities sum to {math.fsum(probabilities)!r}, not to 1")
