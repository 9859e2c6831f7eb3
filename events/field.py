"""Kinds of fields that outsiders fill in, with their limits, and how a field says what it is."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta


def says(told: str) -> Meta:
    """Return what stands beside a field in the schemas and in `smolit events catalog`."""
    return Meta(description=told)


# `$` alone would let a final newline through; `(?!\n)` reads the same in Python and in JSON Schema.
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$(?!\n)")]
Ident = Annotated[str, Meta(min_length=1, max_length=256)]
Sentence = Annotated[str, Meta(max_length=10_000)]
Moment = Annotated[datetime, Meta(tz=True)]
"""A time that names its zone; one without is refused, because whoever guesses a zone guesses wrong for somebody."""
# Task ids are ours (UUIDv5 of tenant, source and request id), so whoever names a task can only mean one of this form.
TaskId = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)"), says("Id of the task, as its answer carries it.")
]
