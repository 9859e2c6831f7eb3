"""Which pools agents are in: written down by dispatch, who knows, and read by the runner, who keeps a worker for some of them.

A file in the data folder, for the runner speaks neither to Kafka nor to Postgres.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from events.pool import is_elsewhere
from smolit.process import record
from smolit.process.roster import Slot, pooled
from smolit.settings import Settings


class Pools(Struct, frozen=True):
    """Pools of the house that an agent is in."""

    names: tuple[str, ...]


def path_of(data_dir: Path) -> Path:
    """Return where it is written down."""
    return data_dir / record.FOLDER / "pools.json"


def tell(settings: Settings, labels: Sequence[str]) -> None:
    """Write down which pools there are; those elsewhere have workers elsewhere."""
    names = tuple(label for label in labels if not is_elsewhere(label))
    record.write_json(path_of(settings.data_dir), Pools(names))


def wanted(settings: Settings) -> list[Slot]:
    """Return a worker for each pool of the settings that an agent is in."""
    known = record.read_json(path_of(settings.data_dir), Pools)
    return pooled(set(known.names) & set(settings.pools)) if known else []
