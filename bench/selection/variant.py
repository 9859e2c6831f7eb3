"""The variants of `three_signals` that are compared: weights learned or fixed, each signal alone, each switched off."""

from bench.selection.learner import Entry
from learning.policies.three_signals import ThreeSignals

NEVER_MOVED = 1e9  # examples' worth of trust in the weights at first

LEARNED = Entry("learned weights", ThreeSignals.name)
NO_MEMORY = Entry("memory off", ThreeSignals.name, {"memory": 0.0})
FIXED = Entry(
    "fixed .3/.4/.3", ThreeSignals.name, {"match": 0.3, "learned": 0.4, "history": 0.3, "memory": 0.3, "firmness": NEVER_MOVED}
)
_OFF = {"match": {"match": 0.0}, "learned score": {"learned": 0.0}, "history": {"history": 0.0}}
_ALONE = {
    "match": {"learned": 0.0, "history": 0.0, "memory": 0.0},
    "learned score": {"match": 0.0, "history": 0.0, "memory": 0.0},
    "history": {"match": 0.0, "learned": 0.0},  # and the memory, which is history, too
}


def variants() -> list[Entry]:
    """Return all of them, the one with learned weights first."""
    return [
        LEARNED,
        FIXED,
        *(Entry(f"{name} alone", ThreeSignals.name, dict(settings)) for name, settings in _ALONE.items()),
        *(Entry(f"{name} off", ThreeSignals.name, dict(settings)) for name, settings in _OFF.items()),
        NO_MEMORY,
        Entry("ridge_igw", "ridge_igw"),
    ]
