"""Where the local language model answers: its process writes it down, and whoever asks reads it at each call."""

from pathlib import Path

from msgspec import Struct

from agents.llm.backend import Backend, BackendFailed
from agents.llm.local import HOST
from agents.llm.weights import MODEL
from smolit.folder import llm_key
from smolit.process import record
from smolit.settings import LOCAL_NAME, Settings


class Doorplate(Struct, frozen=True):
    """The port of the local model (0: there is none), and why there is none."""

    port: int
    fault: str = ""


def path_of(data_dir: Path) -> Path:
    """Return where it is written down."""
    return data_dir / record.FOLDER / "llm.door"


def write_plate(data_dir: Path, plate: Doorplate) -> None:
    """Write it down."""
    record.write_json(path_of(data_dir), plate)


def take_down(data_dir: Path) -> None:
    """Nobody answers there any more."""
    path_of(data_dir).unlink(missing_ok=True)


def local_backend(settings: Settings) -> Backend:
    """Return the local model as a back end.

    Raises:
        BackendFailed: its process does not run, or has no weights.
    """
    plate = record.read_json(path_of(settings.data_dir), Doorplate)
    if plate is None:
        raise BackendFailed("unreachable", "the process `llm` does not run; `smolit up` starts it")
    if not plate.port:
        raise BackendFailed("refused", plate.fault)
    return Backend(LOCAL_NAME, f"http://{HOST}:{plate.port}/v1", llm_key(settings).get_secret_value(), MODEL, local=True)
