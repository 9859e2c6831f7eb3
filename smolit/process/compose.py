"""The composition root: every process by name. Its builder is imported only when it is asked for.

Whoever runs one process by hand, or without a nursery, need not load what it does not run.
"""

import inspect
from importlib import import_module

from learning.language import LanguageTagger
from smolit.process.known import Guarded
from smolit.process.place import Place
from smolit.process.roster import EXTRAS
from smolit.process.roster import PROCESSES as PROCESSES
from smolit.process.runnable import Runnable

# Beside what the builders import: what is imported, or opened, on the way by Faust and by ourselves.
_ON_THE_WAY = (
    "smolit.process.health",
    "learning.static",
    "anyio.streams.tls",
    "httpcore",
    "faust.app.router",
    "faust.assignor.partition_assignor",
    "faust.events",
    "faust.fixups.django",
    "faust.tables.globaltable",
    "faust.tables.objects",
    "faust.tables.sets",
    "faust.topics",
    "faust.transport.utils",
    "faust.web.blueprints",
    "faust.worker",
)


def load() -> None:
    """Load all that the processes will, so that those that a nursery forks find it loaded, and share it."""
    for name in (*(f"smolit.process.parts.{name}" for name in (*PROCESSES, *EXTRAS)), *_ON_THE_WAY):
        import_module(name)
    LanguageTagger.load()
    inspect.getmodule(inspect.currentframe())  # it keeps where each module lies; else Faust has it look at all of them anew


def build(name: str, place: Place) -> Runnable:
    """Return a process by name.

    Raises:
        KeyError: no process is called that.
    """
    if name not in (*PROCESSES, *EXTRAS):
        raise KeyError(name)
    built: Runnable = import_module(f"smolit.process.parts.{name}").build(place)
    return built if name in EXTRAS else Guarded(built, place)  # what reads no log need not know it
