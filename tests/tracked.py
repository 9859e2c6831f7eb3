"""Facts of several scopes for tests of the tracker; run as a program it tracks them.

It writes one line for each scope that is done, and goes on when it is told to by one.
"""

import sys
from collections.abc import Sequence

from smolit.tracking.course import catch_up
from smolit.tracking.fold import Told
from tests.builders import model_id, model_judged, model_promoted, model_registered, model_rolled_back, policy_set, trial_ended


def facts(scopes: Sequence[str] = ("one", "two", "three", "four"), versions: int = 3) -> list[Told]:
    """Return for each scope some versions, all promoted in turn, the last one rolled back and rejected."""
    found = []
    for scope in scopes:
        for number in range(1, versions + 1):
            parent = model_id(number - 1, scope) if number > 1 else None
            found.append(model_registered(number, at=number, scope=scope, parent=parent))
            found.append(model_judged(number, at=number + 0.1, scope=scope))
            found.append(model_promoted(number, at=number + 0.2, scope=scope))
        found.append(model_rolled_back(versions - 1, at=versions + 1, scope=scope))
        found.append(model_judged(versions, at=versions + 2, scope=scope, fine=False))
        found.append(model_promoted(1, at=versions + 3, scope=scope, alias="shadow"))
    found += [trial_ended(number, at=80, scope=scopes[0]) for number in range(3)]
    found.append(policy_set(None, at=90, scope=scopes[0]))
    return [Told(offset, event) for offset, event in enumerate(found)]


if __name__ == "__main__":
    catch_up(sys.argv[1], facts(), lambda said: print(said, flush=True) or sys.stdin.readline())
