"""The naive fold of which past tasks can be found by likeness; see `projections/naive.py`."""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Sequence

from events.task import TaskAdmitted, TaskForgotten
from projections.naive import Key, Seen, Table

WIDTH = 384


def similar_tasks(seen: Sequence[Seen]) -> Table:
    """Return the vector of each task that was admitted with a usable one, and since when it must not be found."""
    table: Table = {}
    for item, fact in _admissions(seen):
        if _fault(fact.context.features.embedding) is None:
            table[fact.task_id, fact.tenant] = {
                **_blank((fact.task_id, fact.tenant)),
                "scope": fact.context.scope,
                "kind": fact.context.kind,
                "features_version": fact.context.features.version,
                "admitted_at": item.at,
                "embedding": sent(fact.context.features.embedding),
            }
    for item in seen:
        if isinstance(item.fact, TaskForgotten):
            key = (item.fact.task_id, item.fact.tenant)
            table[key] = {**table.get(key, _blank(key)), "embedding": None, "forgotten_at": item.at}
    return table


def refused(seen: Sequence[Seen]) -> Table:
    """Return how many vectors were refused, by reason."""
    faults = Counter((fact.tenant, _fault(fact.context.features.embedding)) for _, fact in _admissions(seen))
    return {
        (tenant, fault): {"tenant": tenant, "reason": fault, "refused": count}
        for (tenant, fault), count in faults.items()
        if fault is not None
    }


def _admissions(seen: Sequence[Seen]) -> Iterator[tuple[Seen, TaskAdmitted]]:
    """Yield every admission."""
    for item in seen:
        if isinstance(item.fact, TaskAdmitted):
            yield item, item.fact


def _fault(embedding: bytes) -> str | None:
    """Return why a vector cannot be compared, if it cannot."""
    if len(embedding) != 2 * WIDTH:
        return "wrong_width"
    numbers = struct.unpack(f"<{WIDTH}e", embedding)
    if any(math.isnan(number) or math.isinf(number) for number in numbers):
        return "not_finite"
    return None if any(number != 0 for number in numbers) else "zero_length"


def sent(embedding: bytes) -> bytes:
    """Return a vector as Postgres sends an array of its numbers: one dimension, no nulls, of float4, so many, from 1 on."""
    numbers = (struct.pack(">if", 4, number) for number in struct.unpack(f"<{WIDTH}e", embedding))
    return struct.pack(">5i", 1, 0, 700, WIDTH, 1) + b"".join(numbers)


def _blank(key: Key) -> dict[str, object]:
    """Return the row of a task of which nothing is known."""
    unknown = ("scope", "kind", "features_version", "admitted_at", "embedding", "forgotten_at")
    return {"task_id": key[0], "tenant": key[1], **dict.fromkeys(unknown)}
