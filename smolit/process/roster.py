"""Which processes there are, in which order they stop, and how each is started."""

import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from pydantic import SecretStr

from smolit.process import record
from smolit.settings import PREFIX, Settings

PROCESSES: tuple[str, ...] = ("intake", "selection", "learning", "dispatch", "relay", "worker", "ingest", "projections")
# Those that no task passes on its way.
BESIDE: tuple[str, ...] = ("ingest",)
# Those that read through Faust, in a consumer group each.
BRAINS: tuple[str, ...] = ("intake", "selection", "learning")
# From the door inwards: what is taken in is finished before those who write it down are stopped.
STOP_STAGES: tuple[tuple[str, ...], ...] = (
    ("intake",),
    ("selection",),
    ("dispatch", "worker", "ingest"),
    ("learning",),
    ("relay",),
    ("projections",),
)


class Slot(Struct, frozen=True, order=True):
    """One process that the runner keeps alive."""

    name: str
    instance: str

    @property
    def identity(self) -> str:
        """Return what no two live processes share."""
        return record.identity(self.name, self.instance)


def slots(workers: int) -> list[Slot]:
    """Return every process that `smolit run all` keeps alive."""
    return [Slot(name, str(number)) for name in PROCESSES for number in range(1, (workers if name == "worker" else 1) + 1)]


def argv(slot: Slot) -> list[str]:
    """Return the command that runs one process; `-P` keeps the folder one stands in out of the imports."""
    return [sys.executable, "-P", "-m", "smolit", "run", slot.name, "--instance", slot.instance, "--until-eof"]


def arguments(slot: Slot) -> tuple[str, ...]:
    """Return what a forked process is told (`smolit.process.child`)."""
    return (slot.name, slot.instance)


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that gives another process of ours the very same settings."""
    given = {name: _text(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    ours = {PREFIX + name.upper(): text for name, text in given.items() if text is not None}
    return {**environ, **ours, PREFIX + "HEALTH_PORT": "0"}


def _text(value: object) -> str | None:
    """Return a setting as it stands in an environment variable; None for one that is empty."""
    match value:
        case None:
            return None
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(map(str, value))
        case dict():  # a number for everybody, and others by tenant
            return ",".join(f"{tenant}={number}" if tenant else str(number) for tenant, number in value.items())
        case Path() | str() | int() | float():
            return str(value)
        case _:
            raise TypeError(f"a setting of type {type(value).__name__} has no form in the environment")
