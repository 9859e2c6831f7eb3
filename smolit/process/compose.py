"""The composition root: every process by name. Its builder is imported only when it is asked for.

Seven processes start on a laptop at once, and importing what they do not run would double the time until they are ready.
"""

from importlib import import_module

from smolit.process.known import Guarded
from smolit.process.place import Place
from smolit.process.roster import PROCESSES as PROCESSES
from smolit.process.runnable import Runnable


def build(name: str, place: Place) -> Runnable:
    """Return a process by name.

    Raises:
        KeyError: no process is called that.
    """
    if name not in PROCESSES:
        raise KeyError(name)
    built: Runnable = import_module(f"smolit.process.parts.{name}").build(place)
    return Guarded(built, place)
