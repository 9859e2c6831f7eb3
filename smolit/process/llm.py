"""What processes leave in the data folder about language models: where the local one answers, and how back ends stand."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct

from agents.llm.backend import Backend, BackendFailed
from agents.llm.client import Caller
from agents.llm.local import HOST
from agents.llm.member import Standing
from agents.llm.weights import MODEL
from smolit.folder import llm_key
from smolit.process import record
from smolit.process.ports import utc_now
from smolit.settings import LOCAL_NAME, ONE_REMOTE, Settings, keys_of, of_name

_LOOK_S = 5.0
_NOTES = "llm.of-"


class Doorplate(Struct, frozen=True):
    """The port of the local model (0: there is none), and why there is none."""

    port: int
    fault: str = ""


class Noted(Struct, frozen=True):
    """How a back end stood for one process when it last failed or came back; `until`: it is left alone so long."""

    backend: str
    state: str
    until: datetime
    calls: int
    failures: int
    last_failure: str | None


class Looked(Struct, frozen=True):
    """One back end: whether it answers now, and what it says or why not."""

    backend: str
    model: str
    local: bool
    answers: bool
    told: str


def path_of(data_dir: Path) -> Path:
    """Return where the local model's address is written down."""
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
    return Backend(LOCAL_NAME, f"http://{_address(settings)}/v1", llm_key(settings).get_secret_value(), MODEL, local=True)


def _address(settings: Settings) -> str:
    """Return HOST:PORT of the local model; raises BackendFailed."""
    if settings.local_llm_at:
        return settings.local_llm_at
    plate = record.read_json(path_of(settings.data_dir), Doorplate)
    if plate is None:
        raise BackendFailed("unreachable", "the process `llm` does not run; `smolit up` starts it")
    if not plate.port:
        raise BackendFailed("refused", plate.fault)
    return f"{HOST}:{plate.port}"


async def knock(settings: Settings) -> None:
    """Have the local model loaded, if it is not: a first connection is all that it waits for."""
    with suppress(BackendFailed, OSError):
        host, _, port = _address(settings).rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()


def remote_backends(settings: Settings) -> tuple[Backend, ...]:
    """Return the back ends that the settings name, in order."""
    keys = keys_of(settings.llm_key, settings.llm_url)
    return tuple(
        Backend(name, url, keys.get(name, keys.get(ONE_REMOTE, "")), of_name(settings.llm_model, name))
        for name, url in settings.llm_url.items()
    )


def note(data_dir: Path, who: str, standings: Sequence[Standing], now: datetime) -> None:
    """Write down how back ends stand for a process."""
    noted = [
        Noted(one.backend, one.state, now + timedelta(seconds=one.rests_s), one.calls, one.failures, one.last_failure)
        for one in standings
    ]
    record.write_json(data_dir / record.FOLDER / f"{_NOTES}{who}", Notes(tuple(noted)))


class Notes(Struct, frozen=True):
    """What one process wrote down."""

    backends: tuple[Noted, ...]


def notes(data_dir: Path) -> dict[str, tuple[Noted, ...]]:
    """Return what live and dead processes wrote down, by process."""
    found = {
        path.name.removeprefix(_NOTES): record.read_json(path, Notes) for path in (data_dir / record.FOLDER).glob(f"{_NOTES}*")
    }
    return {who: one.backends for who, one in found.items() if one is not None}


def forget(data_dir: Path, who: str) -> None:
    """Take away what a process wrote down before."""
    (data_dir / record.FOLDER / f"{_NOTES}{who}").unlink(missing_ok=True)


async def look(settings: Settings, wake: bool = True) -> list[Looked]:
    """Ask every back end for its models, in the order in which they would be asked.

    `wake` False: whether the local one would answer is read off its door, so that it is not loaded for being looked at.
    """
    caller, found = Caller(utc_now), []
    try:
        for one in remote_backends(settings):
            found.append(await _try(caller, one.name, one.model, False, partial(_itself, one)))
        if settings.local_llm == "on":
            found.append(
                await _try(caller, LOCAL_NAME, MODEL, True, partial(local_backend, settings)) if wake else _door(settings)
            )
    finally:
        await caller.close()
    return found


def _door(settings: Settings) -> Looked:
    """Return whether the local model's door is open."""
    try:
        local_backend(settings)
    except BackendFailed as error:
        return Looked(LOCAL_NAME, MODEL, True, False, error.detail)
    return Looked(LOCAL_NAME, MODEL, True, True, "its door is open")


def _itself(backend: Backend) -> Backend:
    return backend


async def _try(caller: Caller, name: str, model: str, local: bool, where: Callable[[], Backend]) -> Looked:
    """Ask one back end."""
    try:
        backend = where()
        has = await caller.models(backend, _LOOK_S)
    except BackendFailed as error:
        return Looked(name, model, local, False, error.detail)
    if not has or backend.model in has:
        return Looked(name, model, local, True, f"{len(has)} model(s)")
    return Looked(name, model, local, False, f"it has no model {model}")
