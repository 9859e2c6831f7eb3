"""What a batch of records says, worked out before Postgres is asked: rows of the event log, and statements of read models."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import overload

from msgspec import Struct

from events.wire import Incoming
from projections.projection import Logged
from projections.sorting import Parked, SortedRecord
from projections.statement import Statement


class Chunk(Struct, frozen=True):
    """As much of a batch as fits into one statement.

    `facts` holds each id once, the first in the log; `block` is what `COPY` takes in of them. `statements` write all the rest if
    every one of the facts is new, as nearly always; else they are made again from those that are.
    """

    records: Sequence[SortedRecord]
    facts: dict[str, Logged]
    parked: Sequence[Parked]
    block: bytes
    statements: Sequence[Statement]


class Batch(Sequence[Incoming]):
    """The records of a batch, in order, and all that was made of them."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = chunks

    def __len__(self) -> int:
        return sum(len(chunk.records) for chunk in self.chunks)

    def __iter__(self) -> Iterator[Incoming]:
        return chain.from_iterable(chunk.records for chunk in self.chunks)

    @overload
    def __getitem__(self, place: int) -> Incoming: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Incoming]: ...
    def __getitem__(self, place: int | slice) -> Incoming | Sequence[Incoming]:
        return list(self)[place]
