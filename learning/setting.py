"""Settings of policies: numbers that have to be positive, checked in one place."""

import math
from collections.abc import Mapping

from learning.errors import InvalidPolicySetting


def positive(policy: str, given: Mapping[str, float | str], may_be_zero: frozenset[str] = frozenset()) -> dict[str, float]:
    """Return settings as numbers, all of them finite and above zero, or zero where that may be.

    Raises:
        InvalidPolicySetting: one of them is not; it names the policy and the setting.
    """
    found = {name: _number(policy, name, value) for name, value in given.items()}
    for name, value in found.items():
        if not (math.isfinite(value) and (value > 0.0 or (value == 0.0 and name in may_be_zero))):
            raise InvalidPolicySetting(f"{policy}: {name} must be a positive number, not {value!r}")
    return found


def _number(policy: str, name: str, value: float | str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InvalidPolicySetting(f"{policy}: {name} must be a number, not {value!r}") from error
