"""Which processes there are, in which order they stop, and how each is started."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from pydantic import SecretStr

from smolit.process import record
from smolit.settings import PREFIX, Settings

PROCESSES: tuple[str, ...] = ("intake", "selection", "learning", "dispatch", "relay", "worker", "ingest", "projections")
# Those that the house does without: nobody waits for them at the start.
EXTRAS: tuple[str, ...] = ("llm",)
# Those that no task passes on its way.
BESIDE: tuple[str, ...] = ("ingest",)
# Those that read through Faust, in a consumer group each.
BRAINS: tuple[str, ...] = ("intake", "selection", "learning")
# From the door inwards: what is taken in is finished before those who write it down are stopped.
STOP_STAGES: tuple[tuple[str, ...], ...] = (
    ("intake",),
    ("selection",),
    ("dispatch", "worker", "ingest"),
    EXTRAS,
    ("learning",),
    ("relay",),
    ("projections",),
)


class Slot(Struct, frozen=True, order=True):
    """One process that the runner keeps alive."""

    name: str
    instance: str
    pool: str = ""

    @property
    def identity(self) -> str:
        """Return what no two live processes share."""
        return record.identity(self.name, self.instance)


def slots(workers: int) -> list[Slot]:
    """Return every process that `smolit run all` keeps alive."""
    return [Slot(name, str(number)) for name in PROCESSES for number in range(1, (workers if name == "worker" else 1) + 1)]


def extras(settings: Settings) -> list[Slot]:
    """Return what `smolit run all` keeps alive beside them, as the settings say."""
    return [Slot("llm", "1")] if settings.local_llm == "on" else []


def pooled(names: Iterable[str]) -> list[Slot]:
    """Return a worker for each of these pools."""
    return [Slot("worker", name, name) for name in sorted(names)]


def argv(slot: Slot) -> list[str]:
    """Return the command that runs one process; `-P` keeps the folder one stands in out of the imports."""
    pool = ["--pool", slot.pool] if slot.pool else []
    return [sys.executable, "-P", "-m", "smolit", "run", slot.name, "--instance", slot.instance, *pool, "--until-eof"]


def arguments(slot: Slot) -> tuple[str, ...]:
    """Return what a forked process is told (`smolit.process.child`)."""
    return (slot.name, slot.instance, slot.pool)


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
