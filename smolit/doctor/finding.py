"""What the doctor says of one thing."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at: whether it is well, what was seen, and what to do if it is not."""

    subject: str
    well: bool
    seen: str
    advice: str = ""


def finding(subject: str, well: bool, seen: str, advice: str) -> Finding:
    """Return a finding; where all is well there is nothing to do."""
    return Finding(subject, well, seen, "" if well else advice)
