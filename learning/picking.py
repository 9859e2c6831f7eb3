"""Which of many past tasks to do again: plainly the newest, each kind in its turn.

Picking those whose expected rewards differ most between agents, or least, or whose two best agents are closest, helped on one
set of recorded outcomes and harmed on another (docs/decisions/030-calibration.md), so nothing of that is done.
"""

from collections.abc import Sequence


def kinds_in_turn(kinds: Sequence[str], count: int) -> list[int]:
    """Return the places of `count` tasks at most: the first of each kind, then the second of each, and so on.

    `kinds` has one entry a task, in the order of preference; kinds take turns in the order in which they first come.
    """
    by_kind: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        by_kind.setdefault(kind, []).append(place)
    turns = max((len(places) for places in by_kind.values()), default=0)
    order = [places[turn] for turn in range(turns) for places in by_kind.values() if turn < len(places)]
    return order[:count]
