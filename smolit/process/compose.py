"""The composition root: every process by name. Its builder is imported only when it is asked for.

Whoever runs one process by hand, or without a nursery, need not load what it does not run.
"""

from importlib import import_module

from smolit.process.known import Guarded
from smolit.process.place import Place
from smolit.process.roster import PROCESSES as PROCESSES
from smolit.process.runnable import Runnable

# What the processes import, also what each imports on its way: a nursery loads it before it forks them.
LOADED: tuple[str, ...] = (*(f"smolit.process.parts.{name}" for name in PROCESSES), "smolit.process.health")


def build(name: str, place: Place) -> Runnable:
    """Return a process by name.

    Raises:
        KeyError: no process is called that.
    """
    if name not in PROCESSES:
        raise KeyError(name)
    built: Runnable = import_module(f"smolit.process.parts.{name}").build(place)
    return Guarded(built, place)
