"""Moments of the past as people type them (a number, offsets, a time), and the place in each partition that they mean."""

import re
from collections.abc import Mapping
from datetime import datetime

from bus.reader import PartitionReader, Place
from smolit.cli.option import moment
from smolit.errors import UsageInvalid

_MARK = re.compile(r"(?P<topic>[\w.-]+)/(?P<partition>\d+)=(?P<offset>\d+)")


def marks_at(text: str, now: datetime) -> "Marks":
    """Return what finds the marks of a moment in each partition; raises UsageInvalid for what cannot be meant."""
    if text.isdigit():
        return Marks(records=int(text))
    if "=" not in text:
        return Marks(since=moment(text, now, -1))
    found = [_MARK.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise UsageInvalid(f"{text!r} is neither a number, nor a time, nor TOPIC/PARTITION=OFFSET,...")
    return Marks(given={(one["topic"], int(one["partition"])): int(one["offset"]) for one in found if one})


class Marks:
    """A past moment: so many records of each partition, offsets of some, or a time."""

    def __init__(
        self, records: int | None = None, given: Mapping[Place, int] | None = None, since: datetime | None = None
    ) -> None:
        self._records, self._given, self._since = records, given or {}, since

    async def __call__(
        self, reader: PartitionReader, ends: Mapping[Place, int], others: Mapping[Place, int] | None = None
    ) -> Mapping[Place, int]:
        """Return the mark of each partition, none behind its end; where offsets are given, `others` (ends) stand for the rest.

        Raises:
            UsageInvalid: a partition is named that is not read.
        """
        if self._since is not None:
            return await reader.at(self._since)
        if strange := sorted(f"{topic}/{partition}" for topic, partition in self._given.keys() - ends.keys()):
            raise UsageInvalid(f"there is no {', '.join(strange)} to read here; `smolit projection lag` shows the topics")
        wanted = {**(others or ends), **self._given} if self._records is None else dict.fromkeys(ends, self._records)
        return {place: min(wanted[place], end) for place, end in ends.items()}
