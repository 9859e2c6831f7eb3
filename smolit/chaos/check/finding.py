"""What a check found wrong."""

from collections.abc import Iterable

from msgspec import Struct

_SHOWN = 5


class Finding(Struct, frozen=True):
    """One rule that was broken: which check, how, how often, and the first few cases."""

    check: str
    what: str
    count: int
    cases: tuple[str, ...]


def found(check: str, what: str, cases: Iterable[object]) -> list[Finding]:
    """Return a finding, or none where there are no cases."""
    told = sorted(str(case) for case in cases)
    return [Finding(check, what, len(told), tuple(told[:_SHOWN]))] if told else []
